"""Every page through AppTest, and the reading of an X-ray with a real (tiny) model and with a counted fake one."""

import dataclasses
import io
import re
import subprocess
import sys
from pathlib import Path
from threading import Event, Lock
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from cases.phantom import PhantomParameters, generate
from cases.radiograph import Radiograph
from model_zoo.card import CardError
from model_zoo.lungs import gate
from model_zoo.lungs.gate import Look
from model_zoo.lungs.regions import lung_fields
from model_zoo.predictions import write_predictions
from model_zoo.registry import Export
from views.shared import cache
from views.shared.frame import NOTICE

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "views").glob("*/*.py") if path.parent.name != "shared")
DIAGNOSE = "views/explore/diagnose.py"

pytestmark = pytest.mark.usefixtures("empty_caches")


@pytest.fixture
def empty_caches():
    """What one test caches, another must not see."""
    for function in (cache.collection, cache._radiograph, cache._explanation, cache._begun_look, cache._resident):
        function.clear()


@pytest.fixture
def tiny(tiny_export, monkeypatch) -> Export:
    """The only model of the app: untrained, with stored rows of its validation set."""
    rows = tiny_export.predictions("phantom-test")
    rows = rows.loc[rows.index.repeat(20)].assign(image_id=[f"val/{n}" for n in range(20 * len(rows))])
    write_predictions(rows, tiny_export.predictions_path("phantom-validation"))
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": tiny_export}, {}))
    return tiny_export


@dataclasses.dataclass
class FakeExplanation:
    signed_map: np.ndarray
    probability: float = 0.7
    members: tuple[float, ...] = ()

    def evidence(self, direction: str) -> np.ndarray:
        return np.maximum(self.signed_map if direction == "pneumonia" else -self.signed_map, 0)


class FakeEngine:
    """Counts how often it is asked; its map can be set, and what a committee's members say. It is its own gate."""

    asked = 0
    probability = 0.7
    members = ()
    doubts = ()
    signed_map = np.array([[0.4, -0.1], [0.0, 0.2]], np.float32)
    lungs = lung_fields(np.where(np.indices((40, 40))[1] % 20 < 17, 0.99, 0.01), 0.05, 0.5)

    def input(self, pixels: np.ndarray) -> np.ndarray:
        return pixels

    def explain(self, images: np.ndarray) -> list[FakeExplanation]:
        self.asked += len(images)
        return [FakeExplanation(self.signed_map, self.probability, self.members) for _ in images]

    def look(self, radiograph: Radiograph) -> Look:
        return Look(self.lungs, self.doubts)


@pytest.fixture
def fake_model(tiny, monkeypatch) -> FakeEngine:
    """An engine in place of the tiny model's, and lungs that are known. Nothing of TensorFlow runs."""
    engine = FakeEngine()
    monkeypatch.setattr(cache, "_chest_gate", lambda modified: (engine, Lock()))
    monkeypatch.setattr(cache, "_resident", lambda model_id, sha256: (engine, Lock()))
    monkeypatch.setattr(cache, "explainers", dict)
    return engine


def open_page(page: str, **address: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.query_params.update(address)
    return app.switch_page(page).run()


def shown(app: AppTest) -> str:
    """Everything that the page says, as one text."""
    kinds = ("title", "header", "markdown", "caption", "info", "warning", "error")
    return "\n".join(element.value for kind in kinds for element in app.get(kind))


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def control(elements, key: str):
    return next(element for element in elements if element.key == key)


def png(pixels: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def upload(app: AppTest, name: str, data: bytes) -> AppTest:
    return control(app.get("file_uploader"), "upload_box").set_value((name, data, "image/png")).run()


def test_every_page_file_is_in_the_navigation():
    frame = (ROOT / "streamlit_app.py").read_text(encoding="utf-8")
    assert [page for page in PAGES if f'st.Page("{page}"' not in frame] == []
    assert frame.count("st.Page(") == len(PAGES)
    names = [Path(page).name for page in PAGES]
    assert len(set(names)) == len(names), "page file names become addresses and must be unique"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_the_notice(page, fake_model):
    app = open_page(page)
    assert not app.exception
    assert NOTICE in shown(app)
    assert app.title


WITH_A_VIEW = [page for page in PAGES if "address.start(" in (ROOT / page).read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", WITH_A_VIEW)
def test_a_page_has_the_name_that_leads_to_it(page):
    menu = re.search(f'"{page}", title="(.*?)"', (ROOT / "streamlit_app.py").read_text(encoding="utf-8"))
    title = re.search(r'address\.start\("(.*?)"\)', (ROOT / page).read_text(encoding="utf-8"))
    assert title[1].startswith(menu[1])


@pytest.mark.parametrize("page", WITH_A_VIEW)
def test_the_address_of_a_page_can_be_had_before_anything_is_chosen(page, fake_model):
    app = open_page(page)
    assert not app.query_params
    next(button for button in app.button if button.label == "Share").click().run()
    assert not app.exception
    assert app.query_params
    assert dict(parse_qsl(app.code[0].value.partition("?")[2])) == app.query_params


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_without_any_model(page, monkeypatch):
    monkeypatch.setattr(cache, "exports", lambda: ({}, {"broken": "card.json: expected a number. Received: 'x'."}))
    app = open_page(page)
    assert not app.exception
    assert NOTICE in shown(app)


def test_home_and_stored_results_do_not_import_tensorflow():
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(ROOT / "streamlit_app.py")!r}, default_timeout=60).run()
for page in (
    "views/evidence/performance.py",
    "views/evidence/errors.py",
    "views/evidence/shortcuts.py",
    "views/evidence/audit.py",
    "views/learn/lessons.py",
):
    app.switch_page(page).run()
    assert not app.exception, app.exception
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_an_upload_is_read_by_a_real_model(tiny):
    app = open_page(DIAGNOSE, collection="upload")
    upload(app, "film_1*.png", png(generate(PhantomParameters(7, "lobar", size=300)).pixels))
    assert not app.exception
    assert r"**film\_1\*\.png**" in shown(app)
    assert "probability of pneumonia" in html(app)
    assert "Of the 20 validation images scored most like this one" in shown(app)
    assert "no chest X-ray at all" in shown(app)
    assert "Knows nothing" in shown(app)


def test_damaged_validation_rows_leave_a_film_to_be_read(fake_model, tiny):
    path = tiny.predictions_path("phantom-validation")
    path.write_text(path.read_text().replace("0.75", "nan", 1))
    app = open_page(DIAGNOSE)
    assert not app.error
    assert "phantom\\-validation\\.csv\\, line 2\\, column probability" in shown(app)
    assert "probability of pneumonia" in html(app)


def test_a_bad_upload_is_answered_with_a_sentence_and_keeps_what_was_there(fake_model):
    app = open_page(DIAGNOSE, collection="upload")
    upload(app, "note.png", b"just a few words")
    assert not app.exception
    assert r"note\.png\: expected a JPEG" in app.error[0].value
    assert fake_model.asked == 0

    upload(app, "good.png", png(generate(PhantomParameters(7)).pixels))
    assert not app.error
    upload(app, "empty.png", b"")
    assert r"Still showing good\.png" in app.error[0].value
    assert r"**good\.png**" in shown(app)

    control(app.get("file_uploader"), "upload_box").clear().run()
    assert not app.error
    upload(app, "empty.png", b"")
    control(app.get("button_group"), "address.collection").set_value("phantom").run()
    control(app.get("button_group"), "address.collection").set_value("upload").run()
    assert not app.error, "the box is empty again"
    next(button for button in app.button if button.label == "Forget this X-ray").click().run()
    assert not app.exception
    assert "good" not in shown(app)


def test_an_x_ray_that_is_forgotten_twice_is_forgotten(fake_model):
    app = open_page(DIAGNOSE, collection="upload")
    upload(app, "good.png", png(generate(PhantomParameters(7)).pixels))
    control(app.get("file_uploader"), "upload_box").clear().run()
    button = next(button for button in app.button if button.label == "Forget this X-ray")
    # As the first of two quick presses leaves it: the page of the second one still has the button.
    del app.session_state["upload"]
    button.click().run()
    assert not app.exception
    assert "good" not in shown(app)


def test_a_card_with_another_temperature_gives_other_answers(tiny, monkeypatch):
    pixels = generate(PhantomParameters(7)).pixels
    before = cache.explain(tiny, pixels).probability
    card = dataclasses.replace(tiny.card, temperature=4 * tiny.card.temperature)
    changed = dataclasses.replace(tiny, card=card)
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": changed}, {}))
    assert cache.explain(changed, pixels).probability != before


def test_the_address_reproduces_the_view(fake_model):
    app = open_page(DIAGNOSE, model="tiny", collection="phantom", image="test/0001-lobar")
    control(app.get("toggle"), "answer phantom test/0001-lobar").set_value(True).run()
    assert "Answer: Pneumonia (lobar)" in shown(app)
    assert "a true positive" in shown(app)
    assert r"test\/0001\-lobar" in shown(app)
    assert ":gray-badge[synthetic]" in shown(app)

    thumbnail = next(button for button in app.button if button.key.startswith("thumbnail") and "0001" not in button.key)
    thumbnail.click().run()
    chosen = app.query_params
    assert {"model": "tiny", "collection": "phantom"}.items() <= chosen.items()
    again = open_page(DIAGNOSE, **chosen)
    assert not again.warning
    image_id = thumbnail.key.removeprefix("thumbnail phantom ")
    assert control(again.get("toggle"), f"answer phantom {image_id}").value is False
    # The name would tell the answer to a class that is to guess it.
    assert re.fullmatch(r"[0-9a-f]{12}", chosen["image"])


def test_an_address_that_names_nothing_says_so(fake_model):
    app = open_page(DIAGNOSE, model="nothing", image="test/9999-lobar")
    assert not app.exception
    assert [warning.value.split(" here")[0] for warning in app.warning] == [
        "There is no model nothing",
        r"There is no image test\/9999\-lobar",
    ]
    assert "Case 1 of 200" in shown(app)


def test_a_collection_opens_where_this_visit_left_it(fake_model):
    app = open_page(DIAGNOSE, collection="phantom", image="test/0001-lobar")
    control(app.get("button_group"), "address.collection").set_value("upload").run()
    assert app.query_params == {"model": "tiny", "collection": "upload"}
    control(app.get("button_group"), "address.collection").set_value("phantom").run()
    assert app.query_params.keys() == {"model", "collection", "image"}
    assert "lobar" not in app.query_params["image"]
    control(app.get("toggle"), "answer phantom test/0001-lobar").set_value(True).run()
    assert "Answer: Pneumonia (lobar)" in shown(app)


def test_names_before_the_answer_do_not_give_it_away(fake_model):
    app = open_page(DIAGNOSE, collection="phantom", image="test/0001-lobar")
    assert "lobar" not in shown(app)


def test_controls_repaint_without_asking_the_model_again(fake_model):
    app = open_page(DIAGNOSE, collection="phantom")
    before = [image.value for image in app.get("image")]
    control(app.slider, "opacity").set_value(20).run()
    control(app.selectbox, "colours").set_value("viridis").run()
    after = [image.value for image in app.get("image")]
    control(app.get("button_group"), "address.direction").set_value("normal").run()
    assert not app.exception
    assert fake_model.asked == 1
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_the_map_opens_on_what_the_model_calls_and_the_address_keeps_another_choice(fake_model):
    fake_model.probability = 0.1
    app = open_page(DIAGNOSE, collection="phantom")
    assert "**Evidence for normal**" in shown(app)
    fake_model.probability = 0.9
    app.get("button")[2].click().run()
    assert "**Evidence for pneumonia**" in shown(app)
    assert "direction" not in app.query_params
    control(app.get("button_group"), "address.direction").set_value("normal").run()
    assert "**Evidence for normal**" in shown(app)
    app.get("button")[3].click().run()
    assert "**Evidence for normal**" in shown(app)
    assert "**Evidence for normal**" in shown(open_page(DIAGNOSE, **app.query_params))


def test_an_empty_map_is_said_in_words_and_not_painted(fake_model):
    fake_model.signed_map = np.full((2, 2), -0.3, np.float32)
    app = open_page(DIAGNOSE, collection="phantom")
    assert "no part of this film speaks for pneumonia" in shown(app)
    assert len(app.get("image")) == 1


def test_the_evidence_is_told_by_lung_zone(fake_model):
    fake_model.signed_map = np.array([[0, 0], [0, 0.2]], np.float32)
    app = open_page(DIAGNOSE, collection="phantom")
    assert "in the left lower zone" in shown(app)
    assert "in the lungs. Where a model looks elsewhere" not in shown(app)
    before = [image.value for image in app.get("image")]
    control(app.get("toggle"), "outline_lungs").set_value(False).run()
    after = [image.value for image in app.get("image")]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, True]


def test_a_model_that_looks_beside_the_lungs_gets_a_warning(fake_model):
    beside = np.indices((40, 40))[1] % 20 >= 17
    fake_model.signed_map = beside.astype(np.float32)
    app = open_page(DIAGNOSE, collection="phantom")
    assert "of the evidence for pneumonia lies in the lungs. Where a model looks elsewhere" in app.warning[0].value


def test_hardly_any_evidence_beside_the_lungs_is_called_weak_and_no_warning(fake_model):
    beside = np.indices((40, 40))[1] % 20 >= 17
    fake_model.signed_map = 0.02 * beside.astype(np.float32)
    app = open_page(DIAGNOSE, collection="phantom")
    assert "lies in the lungs, the largest part" in shown(app)
    assert "Weak evidence" in shown(app)
    assert not app.warning


def test_an_image_without_lungs_is_doubted_and_still_shown(fake_model):
    fake_model.lungs, fake_model.doubts = None, (gate.NO_LUNGS, gate.FLAT)
    app = open_page(DIAGNOSE, collection="phantom")
    assert "No lungs found" in app.warning[0].value
    assert "in documents, drawings" in app.warning[0].value
    assert "The model calls this" in html(app)
    assert len(app.get("image")) == 2


def test_an_image_with_lungs_may_be_doubted_too_and_its_lungs_are_outlined(fake_model):
    fake_model.doubts = (gate.UNLIKE,)
    app = open_page(DIAGNOSE, collection="phantom")
    assert "It is unlike the films that the models learnt from." in app.warning[0].value
    assert control(app.get("toggle"), "outline_lungs").value


def test_every_doubt_has_words(fake_model):
    fake_model.doubts = gate.DOUBTS
    app = open_page(DIAGNOSE, collection="phantom")
    assert not app.exception
    assert app.warning[0].value.count(". ") >= len(gate.DOUBTS)


def test_a_broken_lung_network_is_named_and_the_model_still_speaks(fake_model, monkeypatch):
    def broken(modified):
        raise CardError("card.json: expected JSON")

    monkeypatch.setattr(cache, "_chest_gate", broken)
    app = open_page(DIAGNOSE, collection="phantom")
    assert "cannot be outlined" in app.warning[0].value
    assert "The model calls this" in html(app)


def test_the_lungs_are_looked_for_while_the_model_is_asked(fake_model):
    looking, asked, look, explain = Event(), Event(), fake_model.look, fake_model.explain

    def look_meanwhile(radiograph):
        looking.set()
        assert asked.wait(30)
        return look(radiograph)

    def explain_meanwhile(images):
        assert looking.wait(30)
        asked.set()
        return explain(images)

    fake_model.look, fake_model.explain = look_meanwhile, explain_meanwhile
    app = open_page(DIAGNOSE, collection="phantom")
    assert not app.exception
    assert control(app.get("toggle"), "outline_lungs").value


def test_a_look_that_failed_is_tried_again(fake_model):
    fake_model.look, look = lambda radiograph: 1 / 0, fake_model.look
    app = open_page(DIAGNOSE, collection="phantom")
    assert len(app.exception) == 1
    fake_model.look = look
    assert not app.run().exception


def test_guessing_comes_before_the_opinion(fake_model):
    app = open_page(DIAGNOSE, collection="phantom", image="test/0001-lobar")
    control(app.get("toggle"), "guess_first").set_value(True).run()
    assert "The model calls this" not in html(app)
    assert len(app.get("image")) == 1
    control(app.button, "guess normal").click().run()
    assert "The model calls this" in html(app)
    assert "You said normal: not this time" in shown(app)


def test_the_truth_of_a_phantom_can_be_outlined(fake_model):
    app = open_page(DIAGNOSE, collection="phantom", image="test/0001-lobar")
    control(app.get("toggle"), "answer phantom test/0001-lobar").set_value(True).run()
    before = [image.value for image in app.get("image")]
    control(app.get("toggle"), "outlines").set_value(True).run()
    after = [image.value for image in app.get("image")]
    # Film and overlay; the chart of the lung zones stays.
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, True]


@pytest.mark.parametrize(("collection", "setting"), [("chest_xray", "LUNGLENS_DATA"), ("folder", "LUNGLENS_FOLDER")])
def test_an_absent_collection_names_what_brings_it_and_offers_phantoms(fake_model, collection, setting):
    app = open_page(DIAGNOSE, collection=collection)
    assert setting in app.info[0].value.replace("\\", "")
    next(button for button in app.button if button.label == "Use the phantoms instead").click().run()
    assert not app.exception
    assert "Case 1 of 200" in shown(app)


def test_an_unreadable_file_of_a_folder_leaves_the_others(fake_model, tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGLENS_FOLDER", str(tmp_path))
    (tmp_path / "a.png").write_bytes(b"no image")
    (tmp_path / "b.png").write_bytes(png(generate(PhantomParameters(7)).pixels))
    app = open_page(DIAGNOSE, collection="folder", image="a.png")
    assert not app.exception
    assert r"a\.png\: expected" in app.error[0].value
    control(app.button, "thumbnail folder b.png").click().run()
    assert not app.error
    assert "not known here" in shown(app)


def test_weights_that_are_not_the_card_s_are_refused_in_words(tiny, monkeypatch):
    weights = dataclasses.replace(tiny.card.weights, sha256="0" * 64)
    changed = Export(tiny.folder, dataclasses.replace(tiny.card, weights=weights))
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": changed}, {}))
    app = open_page(DIAGNOSE, collection="phantom")
    assert not app.exception
    assert "expected the weights" in app.error[0].value


def test_a_broken_export_is_named_and_the_others_work(tiny, fake_model, monkeypatch):
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": tiny}, {"bad_one": "card.json: expected JSON."}))
    app = open_page(DIAGNOSE)
    assert r"The model bad\_one cannot be used" in app.warning[0].value
    assert "The model calls this" in html(app)

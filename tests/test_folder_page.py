"""The page "Your own folder" and what the evidence pages make of a scored folder, through AppTest."""

import shutil
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from threading import Event, Lock
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import streamlit
from conftest import make_card
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest
from test_batch import Brightness

from cases.collections.folder import FolderCollection, folder_id, remember
from cases.radiograph import RadiographError
from model_zoo import batch
from model_zoo.card import CardError, write_card
from model_zoo.lungs.gate import Look
from model_zoo.registry import ExportError
from views.shared import cache, evidence, jobs, visitor, words
from views.shared.figures.folder import probability_histogram

ROOT = Path(__file__).resolve().parent.parent
PAGE = "views/explore/folder.py"
PERFORMANCE, ERRORS, DIAGNOSE = "views/evidence/performance.py", "views/evidence/errors.py", "views/explore/diagnose.py"
NUMBERS = range(0, 240, 4)


class Engine(Brightness):
    """Brightness, which waits before each batch while it is told to."""

    def __init__(self):
        super().__init__()
        self.go = Event()
        self.go.set()

    def scores(self, images):
        assert self.go.wait(60)
        return super().scores(images)


def no_map(export, pixels):
    raise ExportError("no map in this test")


@pytest.fixture
def engine(monkeypatch, tmp_path) -> Engine:
    """The engine of the app's only model, "alpha", and its own gate; the visitor is at this machine."""
    engine, lock = Engine(), Lock()
    gate = SimpleNamespace(look=lambda radiograph: Look(None, engine.doubts(radiograph)))
    write_card_to = tmp_path / "exports" / "alpha"
    write_card_to.mkdir(parents=True)
    write_card(make_card(write_card_to), write_card_to / "card.json")
    for function in (cache._exports, cache.collection, cache._radiograph, cache._thumbnail, cache.folder):
        function.clear()
    monkeypatch.setattr(cache, "EXPORTS", tmp_path / "exports")
    monkeypatch.setattr(cache, "_resident", lambda model_id, sha256: (engine, lock))
    monkeypatch.setattr(cache, "_chest_gate", lambda modified: (gate, Lock()))
    monkeypatch.setattr(cache, "explain", no_map)
    monkeypatch.setattr(visitor, "is_here", lambda address, headers: True)
    monkeypatch.setenv("LUNGLENS_SCORED", str(tmp_path / "scored"))
    yield engine
    engine.go.set()
    for job in jobs._JOBS.values():
        job.join()


@pytest.fixture
def folder(tmp_path) -> Path:
    """60 images of a gray value each, in turn normal and pneumonia."""
    folder = tmp_path / "my_films"
    for number in NUMBERS:
        path = folder / ("normal", "pneumonia")[number // 4 % 2] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((40, 40), number, np.uint8))
    return folder


def visit(page: str, /, **address: object) -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page(page)
    app.query_params.update({name: str(value) for name, value in address.items()})
    return healthy(app.run())


def healthy(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    return app


def text(app: AppTest) -> str:
    parts = [app.title, app.markdown, app.caption, app.info, app.warning, app.error]
    return "\n".join(element.value for part in parts for element in part).replace("\\", "")


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def press(app: AppTest, label: str) -> AppTest:
    return healthy(next(button for button in app.button if button.label == label).click().run())


def export():
    return cache.exports()[0]["alpha"]


def job(folder: Path) -> jobs.Job:
    return jobs.last(batch.results_of(folder_id(folder), export()))


def scored(folder: Path) -> AppTest:
    """The page after the whole folder was scored."""
    app = press(visit(PAGE, folder=folder), f"Score {len(FolderCollection(folder).entries())} images")
    job(folder).join()
    return healthy(app.run())


def test_a_folder_is_scored_and_its_rows_are_shown(engine, folder):
    app = scored(folder)
    assert "60 images, 30 normal, 30 pneumonia" in text(app)
    assert "Of **60 images** the model calls **34** pneumonia" in text(app)
    table = app.dataframe[0].value
    assert table["image"].iloc[0] == "pneumonia/236.png"
    assert table["probability"].is_monotonic_decreasing
    displayed = convert_arrow_bytes_to_pandas_df(app.dataframe[0].proto.arrow_data.styler.display_values)
    assert displayed["probability"].tolist() == table["probability"].map(words.probability).tolist()
    assert table["call"].tolist() == ["pneumonia"] * 34 + ["normal"] * 26
    assert set(table["label"]) == {"normal", "pneumonia"}
    assert "Look for new and changed images" in labels(app)
    assert not app.error


def test_the_table_is_saved_with_the_threshold_that_it_was_called_at(engine, folder, monkeypatch):
    saved = []
    monkeypatch.setattr(streamlit, "download_button", lambda label, data, **settings: saved.append(data))
    app = scored(folder)
    table = pd.read_csv(BytesIO(saved[-1]()), encoding="utf-8-sig")
    assert table["image"].tolist() == app.dataframe[0].value["image"].tolist()
    assert table["threshold"].eq(export().card.threshold.value).all()
    assert (
        table["call"].tolist() == np.where(table["probability"] >= table["threshold"], "pneumonia", "normal").tolist()
    )


def test_images_that_may_be_no_chest_films_are_counted_and_can_be_listed_first(engine, folder):
    for number in (0, 1, 2):
        cv2.imwrite(str(folder / "pneumonia" / f"blank{number}.png"), np.full((40, 40), number, np.uint8))
    app = scored(folder)
    assert "not be frontal chest X-rays: **4**. The model calls 0 of them pneumonia" in app.warning[0].value
    order = next(group for group in app.get("button_group") if group.key == "address.order")
    table = healthy(order.set_value("doubts").run()).dataframe[0].value
    assert table["doubts"].tolist() == ["no lungs; blank"] * 4 + [""] * 59
    assert table["image"].tolist()[:2] == ["normal/000.png", "pneumonia/blank0.png"]
    assert "may not be frontal chest X-rays: 4 of 63." in text(visit(PERFORMANCE, set=folder_id(folder)))
    # Another folder may have no doubts to be ordered by.
    healthy(app.text_input(key="address.folder").set_value(str(folder / "normal")).run())
    assert app.query_params == {"folder": str(folder / "normal"), "model": "alpha"}


def test_a_folder_without_doubts_says_so(engine, folder):
    (folder / "normal" / "000.png").unlink()
    app = scored(folder)
    assert "All of them passed as frontal chest X-rays" in text(app)
    assert not app.warning
    assert "doubts" not in app.dataframe[0].value
    assert "There is no order doubts" in text(visit(PAGE, folder=folder, order="doubts"))


def test_a_gate_that_cannot_be_used_is_said(engine, folder, monkeypatch):
    def broken(modified):
        raise CardError("gate.json: expected limits. Received: none.")

    monkeypatch.setattr(cache, "_chest_gate", broken)
    app = press(visit(PAGE, folder=folder), "Score 60 images")
    assert "expected limits" in app.error[0].value
    assert "Score 60 images" in labels(app)


def test_orders_and_pages_are_in_the_address(engine, folder, monkeypatch):
    app = scored(folder)
    order = next(group for group in app.get("button_group") if group.key == "address.order")
    healthy(order.set_value("closest").run())
    assert app.query_params == {"folder": str(folder), "model": "alpha", "order": "closest"}
    probabilities = app.dataframe[0].value["probability"]
    assert (probabilities - 0.4).abs().is_monotonic_increasing
    names = visit(PAGE, folder=folder, order="name").dataframe[0].value["image"]
    assert names.tolist() == sorted(names)
    again = visit(PAGE, folder=folder, order="closest", page=7)
    assert "no page 7" in text(again)


def test_a_run_is_cancelled_and_goes_on_from_another_visit(engine, folder):
    engine.go.clear()
    app = press(visit(PAGE, folder=folder), "Score 60 images")
    assert "Cancel" in labels(app)
    reloaded = visit(PAGE, folder=folder)
    assert "Cancel" in labels(reloaded)
    press(reloaded, "Cancel")
    engine.go.set()
    job(folder).join()
    healthy(app.run())
    assert "Go on: 28 of 60 images are left" in labels(app)
    assert "results so far" in text(app)
    assert len(app.dataframe[0].value) == engine.seen == 32
    press(app, "Go on: 28 of 60 images are left")
    job(folder).join()
    assert len(healthy(app.run()).dataframe[0].value) == engine.seen == 60


def test_a_folder_has_one_run_at_a_time_and_folders_take_turns(engine, folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder / "normal", other)
    engine.go.clear()
    first = cache.start_scoring(folder, export())
    assert cache.start_scoring(folder, export()) is first
    second = cache.start_scoring(other, export())
    assert second is not first
    app = visit(PAGE, folder=other)
    assert "Cancel" in labels(app)
    assert second.progress is None
    second.cancel()
    second.join(10)
    assert not second.running
    assert first.running


def test_a_cancelled_run_that_cannot_keep_what_is_done_says_so():
    begun = Event()

    def steps():
        try:
            while True:
                yield batch.Progress(32, 0, 60)
                begun.set()
        finally:
            raise OSError(28, "No space left on device")

    run = jobs.Job(steps)
    assert begun.wait(10)
    run.cancel()
    run.join(10)
    assert "No space left on device" in (run.problem or "")


def test_the_pace_of_a_run_leaves_out_what_was_done_before_it(monkeypatch):
    for done, rate in (((32,), None), ((32, 40), 2.0)):
        monkeypatch.setattr(jobs, "monotonic", iter((100.0, 104.0)).__next__)
        run = jobs.Job(lambda done=done: (batch.Progress(count, 0, 60) for count in done))
        run.join(10)
        assert run.rate() == rate


def test_unreadable_images_are_listed_with_their_reason(engine, folder):
    (folder / "broken.png").write_bytes(b"a few words")
    app = scored(folder)
    assert "could not be read: 1." in text(app)
    assert "expected a JPEG" in app.dataframe[-1].value["reason"].iloc[0]
    assert len(app.dataframe[0].value) == 60


def test_a_run_that_fails_says_so_and_keeps_what_there_is(engine, folder, monkeypatch):
    def full(path, records):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch, "_append", full)
    app = press(visit(PAGE, folder=folder), "Score 60 images")
    job(folder).join()
    healthy(app.run())
    assert "No space left on device" in app.error[0].value
    assert "Score 60 images" in labels(app)


def test_damaged_rows_are_named_and_scored_again(engine, folder):
    scored(folder)
    path = batch.results_of(folder_id(folder), export()).scores
    lines = path.read_text().splitlines()
    lines[7] = lines[7].replace(",0.", ",lots")
    path.write_text("\n".join(lines) + "\n")
    app = visit(PAGE, folder=folder)
    assert "line 8, column probability" in app.error[0].value.replace("\\", "")
    assert str(path.parent.parent) not in text(app)
    damaged = visit(PERFORMANCE, set=folder_id(folder))
    assert "line 8, column probability" in damaged.error[0].value.replace("\\", "")
    press(app, "Score 60 images")
    job(folder).join()
    assert not healthy(app.run()).error
    assert engine.seen == 61


REFUSED = {
    "nowhere": "which is not there",
    "file.txt": "which is a file",
    "empty": "without any JPEG",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_folder_of_images_is_said(engine, tmp_path, name):
    (tmp_path / "file.txt").write_text("words")
    (tmp_path / "empty").mkdir()
    app = visit(PAGE, folder=tmp_path / name)
    assert REFUSED[name] in app.error[0].value
    assert labels(app) == ["Share"]


def test_a_folder_that_cannot_be_opened_is_said(engine, folder, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cases.collections.folder.os.scandir", closed)
    assert "cannot be opened (Permission denied)" in text(visit(PAGE, folder=folder))


@pytest.mark.parametrize("typed", ["films", "~nobody-at-all/films", "x" * 5000, "a\0b"])
def test_a_path_that_is_not_full_is_said(engine, typed):
    app = visit(PAGE, folder=typed)
    assert "Expected" in app.error[0].value


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege on Windows")
@pytest.mark.parametrize("name", ["a\0b", "there", "there/films"])
def test_a_full_path_that_no_disk_can_follow_is_said(engine, tmp_path, name):
    (tmp_path / "there").symlink_to(tmp_path / "back")
    (tmp_path / "back").symlink_to(tmp_path / "there")
    app = visit(PAGE, folder=tmp_path / name)
    assert "cannot be opened" in app.error[0].value
    assert labels(app) == ["Share"]


def test_nothing_typed_is_no_error(engine):
    app = visit(PAGE)
    assert "Type the path" in app.info[0].value
    assert not app.error


def test_a_stranger_is_refused_in_words_whatever_is_there(engine, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(visitor, "is_here", lambda address, headers: False)
    for path in (folder, tmp_path / "nowhere", "/etc/hostname"):
        app = visit(PAGE, folder=path)
        assert "everyone who can reach the app" in app.error[0].value
        assert len(app.error) == 1
        assert labels(app) == ["Share"]


def test_the_shared_folder_is_open_to_everybody(engine, folder, monkeypatch):
    monkeypatch.setattr(visitor, "is_here", lambda address, headers: False)
    monkeypatch.setenv("LUNGLENS_FOLDER", str(folder))
    assert "60 images" in text(visit(PAGE))
    assert "30 images, 30 without a label" in text(visit(PAGE, folder="normal"))
    assert "what lies in it" in text(visit(PAGE, folder="../"))


def test_strangers_see_no_scored_folder_but_the_shared_one(engine, folder, monkeypatch):
    scored(folder)
    name = folder_id(folder)
    assert cache.prediction_sets(export()) == (name,)
    monkeypatch.setattr(visitor, "is_here", lambda address, headers: False)
    assert cache.prediction_sets(export()) == ()
    for page in (PERFORMANCE, ERRORS):
        assert "no stored predictions" in text(visit(page, set=name, image="normal/000.png"))
    assert "no collection folder-" in text(visit(DIAGNOSE, collection=name))
    monkeypatch.setenv("LUNGLENS_FOLDER", str(folder.parent))
    assert cache.prediction_sets(export()) == (name,)


def test_a_labelled_folder_is_a_prediction_set(engine, folder):
    cv2.imwrite(str(folder / "unlabelled.png"), np.full((40, 40), 9, np.uint8))
    scored(folder)
    name = folder_id(folder)
    rows = cache.predictions(export(), name)
    assert rows.columns.tolist() == ["image_id", "patient_id", "label", "subtype", "probability"]
    assert len(rows) == 60
    assert rows["label"].dtype == int
    app = visit(PERFORMANCE, set=name)
    assert app.selectbox[1].value == name
    told = text(app)
    for expected in (
        "Folder my_films, scored here: **60 images**",
        "operating point was chosen on Phantoms (synthetic), validation split",
        "each image counts as a patient of its own",
        "in no folder called normal or pneumonia: 1 of 61.",
    ):
        assert expected in told
    assert any("Folder my\\_films" in element.value for element in app.markdown)
    right = (rows["probability"] >= export().card.threshold.value) == (rows["label"] == 1)
    assert app.metric[0].label == "Accuracy"
    assert app.metric[0].value == f"{right.mean():.3f}"


def test_the_errors_of_a_labelled_folder_open(engine, folder):
    scored(folder)
    name = folder_id(folder)
    app = visit(ERRORS, set=name)
    shown = [button.key for button in app.button if (button.key or "").startswith("errors-")]
    assert shown[0] == "errors-normal/232.png"
    assert "Not in this copy" not in text(app)
    assert evidence.collection_of(name) == name
    assert len(visit(ERRORS, set=name, image="normal/232.png").image) == 1
    assert cache.radiograph(name, "normal/232.png").pixels.mean() == 232
    opened = visit(DIAGNOSE, collection=name, image="normal/232.png")
    assert not opened.warning


def test_rows_and_folder_that_differ_are_told(engine, folder):
    scored(folder)
    for number in range(3):
        (folder / "normal" / f"{8 * number:03}.png").unlink()
    cv2.imwrite(str(folder / "normal" / "new.png"), np.full((40, 40), 9, np.uint8))
    cache.collection.clear()
    told = "\n".join(evidence.remarks(folder_id(folder), export()))
    assert "not in the folder any more: 3." in told
    assert "folder without a score: 1," in told
    for loaded in (cache.radiograph, cache.thumbnail):
        with pytest.raises(RadiographError, match=r"Received: normal/000\.png, which is not"):
            loaded(folder_id(folder), "normal/000.png")


@pytest.mark.parametrize("looks", range(4))
def test_an_image_that_goes_between_two_looks_at_the_folder_is_said(engine, folder, monkeypatch, looks):
    whole, less = FolderCollection(folder), FolderCollection(folder / "pneumonia")
    listings = [whole] * looks + [less] * 9
    monkeypatch.setattr(cache, "collection", lambda collection_id: listings.pop(0))
    with suppress(RadiographError):
        assert cache.radiograph(folder_id(folder), "normal/000.png").pixels.mean() == 0


def test_a_film_that_is_replaced_under_its_name_is_shown_anew(folder):
    remember(folder)
    name, path = folder_id(folder), folder / "normal" / "232.png"
    before = cache.thumbnail(name, "normal/232.png")
    assert cache.radiograph(name, "normal/232.png").pixels.mean() == 232
    cv2.imwrite(str(path), np.full((40, 44), 17, np.uint8))
    assert cache.radiograph(name, "normal/232.png").pixels.mean() == 17
    assert cache.thumbnail(name, "normal/232.png") != before


def test_a_folder_without_labels_is_no_prediction_set(engine, folder):
    plain = folder / "normal"
    plain = plain.rename(folder.parent / "plain")
    app = scored(plain)
    assert "without a label" in text(app)
    assert "label" not in app.dataframe[0].value
    assert cache.prediction_sets(export()) == ()


def test_the_folder_is_remembered_for_the_visit(engine, folder):
    app = visit(PAGE, folder=folder)
    app.query_params.clear()
    app.switch_page(PERFORMANCE).run()
    app.query_params.clear()
    assert "60 images" in text(healthy(app.switch_page(PAGE).run()))


def test_every_image_is_in_the_histogram_once():
    probability = np.r_[0.0, 1.0, np.random.default_rng(0).random(98)]
    label = pd.array([0, 1, *[None] * 48, *[1] * 50], dtype="Int64")
    spec = probability_histogram(pd.DataFrame({"label": label, "probability": probability}), 0.3, "light").to_dict()
    table = pd.DataFrame(next(data for data in spec["datasets"].values() if "images" in data[0]))
    assert table.groupby("label")["images"].sum().to_dict() == {"normal": 1, "pneumonia": 51, "not known": 48}
    expected = np.histogram(probability, 20, (0, 1))[0]
    assert np.array_equal(table.groupby("low")["images"].sum(), expected[expected > 0])

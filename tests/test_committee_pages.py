"""Every page with a committee: what it shows of one, and what it says where a committee has nothing to show."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import MEMBERS
from test_pages import (  # noqa: F401  (fixtures among them)
    DIAGNOSE,
    PAGES,
    control,
    empty_caches,
    fake_model,
    html,
    open_page,
    shown,
    tiny,
)

from cases.collections.folder import folder_id
from model_zoo import registry
from model_zoo.batch import results_of
from model_zoo.registry import scan
from views.shared import cache, visitor
from views.shared.figures.members import members as members_chart
from views.shared.members import voices_table

TITLES = [f"Tiny {member_id}" for member_id in MEMBERS]

pytestmark = pytest.mark.usefixtures("empty_caches")


@pytest.fixture
def together(tiny_committee, fake_model, monkeypatch):  # noqa: F811
    """The tiny committee and its members as the app's models, with answers that are set."""
    found = scan(tiny_committee.folder.parent)
    monkeypatch.setattr(cache, "exports", lambda: found)
    monkeypatch.setattr(registry, "scan", lambda: found)
    fake_model.members = (0.45, 0.55, 0.7)
    return found[0]["together"]


def buttons(app) -> list[str]:
    return [button.label for button in app.button if (button.key or "").startswith("member ")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens(page, together):
    app = open_page(page, model="together")
    assert not app.exception
    assert not app.error


def test_the_members_are_heard_and_their_disagreement_is_a_warning(together):
    app = open_page(DIAGNOSE, model="together", collection="phantom")
    assert 'data-probability="0.700000"' in html(app)
    warning = next(element.value for element in app.warning if "members disagree" in element.value)
    assert "2 of 3 call this pneumonia and 1 normal" in warning
    assert "from 0.450 to 0.700 (standard deviation 0.103)" in warning
    assert buttons(app) == TITLES


def test_a_member_with_another_full_strength_gives_another_map(tiny_committee, monkeypatch):
    pixels = np.random.default_rng(4).integers(0, 256, (60, 60), np.uint8)
    first, *others = tiny_committee.members
    heatmap = dataclasses.replace(first.card.heatmap, scale=4 * first.card.heatmap.scale)
    fainter = dataclasses.replace(first, card=dataclasses.replace(first.card, heatmap=heatmap))
    maps = []
    for committee in (tiny_committee, dataclasses.replace(tiny_committee, members=(fainter, *others))):
        monkeypatch.setattr(cache, "exports", lambda committee=committee: ({"together": committee}, {}))
        maps.append(cache.explain(committee, pixels).signed_map)
    assert not np.allclose(*maps)


def test_agreement_is_no_warning(together, fake_model):  # noqa: F811
    fake_model.members = (0.9, 0.8, 0.7)
    app = open_page(DIAGNOSE, model="together", collection="phantom")
    assert "All 3 members call this pneumonia too" in shown(app)
    assert not [element for element in app.warning if "members" in element.value]


def test_a_guess_comes_before_the_members(together):
    app = open_page(DIAGNOSE, model="together", collection="phantom", image="test/0001-lobar")
    control(app.get("toggle"), "guess_first").set_value(True).run()
    assert "members" not in "".join(element.value for element in app.warning)
    control(app.button, "guess normal").click().run()
    assert "The members disagree" in shown(app)


def test_a_network_has_no_members(together):
    app = open_page(DIAGNOSE, model="one", collection="phantom")
    assert "What its members say" not in shown(app)
    assert buttons(app) == []


def test_the_chart_has_one_line_per_voice_on_one_axis():
    table = pd.DataFrame(
        [
            ("Together", 0.6, 0.4, "pneumonia", "0.600"),
            ("A", 0.2, 0.5, "normal", "0.200"),
            ("B", 0.8, 0.7, "pneumonia", "0.800"),
        ],
        columns=["title", "probability", "threshold", "call", "said"],
    )
    chart = members_chart(table, "dark").to_dict()
    datasets = sorted(chart["datasets"].values(), key=len)
    assert [row["probability"] for row in datasets[0]] == [0.6]
    assert [row["line"] for row in datasets[1]] == ["Together: 0.600", "A: 0.200", "B: 0.800"]
    axes = [layer["encoding"]["x"]["scale"]["domain"] for layer in chart["layer"] if "scale" in layer["encoding"]["x"]]
    assert axes
    assert all(domain == [0, 1] for domain in axes)


@pytest.mark.parametrize(
    ("page", "sentence", "view"),
    [
        ("views/evidence/training.py", "A committee is not trained", {}),
        ("views/explore/methods.py", "A committee has no layers of its own", {"by": "methods"}),
        ("views/explore/methods.py", "A committee has no layers of its own", {"by": "layers"}),
        (
            "views/evidence/errors.py",
            "A committee has no features of its own",
            {"set": "phantom-test", "image": "test/0001-lobar"},
        ),
    ],
)
def test_where_it_has_nothing_to_show_its_members_are_a_press_away(together, page, sentence, view):
    app = open_page(page, model="together", **view)
    assert not app.exception
    assert sentence in shown(app)
    assert buttons(app) == TITLES
    control(app.button, "member two").click().run()
    assert sentence not in shown(app)
    assert app.query_params["model"] == "two"
    assert view.items() <= app.query_params.items()


def test_its_members_maps_are_compared_in_its_place(together, fake_model):  # noqa: F811
    app = open_page("views/explore/methods.py", model="together", collection="phantom", by="models")
    assert not app.exception
    assert "mean of shares" in shown(app)
    assert fake_model.asked == 1
    next(button for button in app.button if button.label == "Ask the other 2 too").click().run()
    assert fake_model.asked == 3
    assert all(f"**{title}**" in shown(app) for title in TITLES)
    assert "**Together**" not in shown(app)


def test_a_network_is_compared_with_networks_alone(together):
    app = open_page("views/explore/methods.py", model="one", collection="phantom", by="models")
    assert "Ask the other 2 too" in [button.label for button in app.button]


def test_performance_tells_who_sits_on_it(together):
    app = open_page("views/evidence/performance.py", model="together", set="phantom-test")
    table = next(table.value for table in app.table if "operating point" in table.value)
    assert list(table["operating point"]) == ["0.400", "0.600", "0.500"]
    assert list(table["pixels"]) == ["32 × 32", "32 × 32", "24 × 24"]
    assert "plus 0.250, over a temperature of 1.50. That takes as long as all members together" in shown(app)
    assert buttons(app) == TITLES


def test_a_member_takes_neither_the_threshold_nor_a_set_that_it_lacks(together):
    view = {"set": "phantom-test", "threshold": "0.7"}
    app = open_page("views/evidence/performance.py", model="together", **view)
    control(app.button, "member two").click().run()
    assert app.query_params == {"model": "two", "set": "phantom-test"}
    for rows in (together.folder.parent / "two" / "predictions").glob("*.csv"):
        rows.unlink()
    app = open_page("views/evidence/performance.py", model="together", **view)
    control(app.button, "member two").click().run()
    assert app.query_params == {"model": "two"}
    assert not app.exception


def test_models_of_one_title_can_all_be_chosen(together, monkeypatch):
    exports, problems = cache.exports()
    alike = {
        model_id: dataclasses.replace(export, card=dataclasses.replace(export.card, title="Alike"))
        for model_id, export in exports.items()
    }
    monkeypatch.setattr(cache, "exports", lambda: (alike, problems))
    app = open_page(DIAGNOSE, model="one", collection="phantom")
    for model_id in ("two", "one"):
        control(app.selectbox, "address.model").set_value(model_id).run()
        assert app.query_params["model"] == model_id
        app.run()
        assert app.query_params["model"] == model_id
    said = voices_table([(export, 0.5, 0.5) for export in alike.values()])
    assert said["title"].is_unique


def test_compare_adds_up_its_members(together):
    app = open_page("views/evidence/compare.py", set="phantom-test")
    row = app.dataframe[0].value.set_index("model").loc["Together"]
    assert (row["parameters"], row["started from"]) == ("300", "its 3 members")


def test_a_scored_folder_can_be_ordered_by_disagreement(together, tmp_path, monkeypatch):
    monkeypatch.setattr(visitor, "is_here", lambda address, headers: True)
    monkeypatch.setenv("LUNGLENS_SCORED", str(tmp_path / "scored"))
    folder = tmp_path / "films"
    folder.mkdir()
    rows = []
    for name, disagreement in (("a", 0.1), ("b", 0.3), ("c", 0.2)):
        (folder / f"{name}.png").write_bytes(b"not opened")
        rows.append((f"{name}.png", f"{name}.png", "", "", 0.5, "1-1", "", disagreement))
    for model, columns in ((together, 8), (together.members[0], 7)):
        results = results_of(folder_id(folder), model)
        results.scores.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame([row[:columns] for row in rows], columns=list(results.columns)).to_csv(results.scores, index=False)
    view = {"folder": str(folder), "order": "disagreement"}
    table = open_page("views/explore/folder.py", model="together", **view).dataframe[0].value
    assert list(table["image"]) == ["b.png", "c.png", "a.png"]
    assert list(table["disagreement"]) == [0.3, 0.2, 0.1]
    app = open_page("views/explore/folder.py", model="one", **view)
    assert "There is no order disagreement" in shown(app)
    assert "disagreement" not in app.dataframe[0].value

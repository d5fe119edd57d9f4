"""The page on shortcuts, from rows that are set and with a counted fake model."""

import dataclasses

import pytest
from test_pages import control, empty_caches, fake_model, open_page, shown, tiny  # noqa: F401  (fixtures among them)
from test_shortcuts import some_rows, stored  # noqa: F401  (a fixture)

from model_zoo.blanking import PARTS
from model_zoo.lungs import gate
from model_zoo.predictions import PredictionsError
from model_zoo.registry import Export
from views.shared import cache

PAGE = "views/evidence/shortcuts.py"

pytestmark = pytest.mark.usefixtures("empty_caches")


@pytest.fixture
def app_with_rows(stored, monkeypatch):  # noqa: F811
    nothing = dict.fromkeys(("side", "channels", "heatmap", "weights"))
    size = dataclasses.replace(stored, card=dataclasses.replace(stored.card, id="size", title="Size", **nothing))
    twin = dataclasses.replace(stored, card=dataclasses.replace(stored.card, id="twin"))
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": stored, "twin": twin, "size": size}, {}))
    return stored


def test_one_model_s_figures_are_told_and_drawn(app_with_rows):
    app = open_page(PAGE, model="tiny")
    assert not app.exception
    text = shown(app)
    assert "With the **lungs blanked**, this model has an AUROC of **0.500" in text
    assert "a side marker was found on 1 of 4" in text
    assert "**Synthetic images.**" in text
    table = app.dataframe[0].value.set_index("blanked")
    assert table.loc["the lungs", "AUROC"].startswith("0.500 (")
    assert table.loc["side marker", "flipped"] == "1.000 (0.025 to 1.000)"
    assert table.loc["nothing", "moved"] == ""


def test_all_networks_are_shown_apart_and_baselines_are_none_of_them(app_with_rows):
    app = open_page(PAGE, model="tiny", show="models")
    assert not app.exception
    assert list(app.dataframe[0].value["model"]) == ["Tiny (tiny)", "Tiny (twin)"]
    assert list(app.dataframe[0].value)[1:] == ["nothing", "side marker", "borders", "all but the lungs", "the lungs"]


def test_a_model_is_still_chosen_after_a_look_at_all_of_them(app_with_rows):
    app = open_page(PAGE)
    control(app.selectbox, "address.model").set_value("twin").run()
    for view in ("models", "film", "model"):
        control(app.get("button_group"), "address.show").set_value(view).run()
        assert not app.exception
    assert control(app.selectbox, "address.model").value == "twin"


def test_a_baseline_whose_rows_are_damaged_leaves_the_networks(app_with_rows, monkeypatch):
    def damaged(export, name):
        raise PredictionsError("line 3: expected a number")

    monkeypatch.setattr(cache, "predictions", damaged)
    monkeypatch.setattr(Export, "prediction_sets", lambda export: ("phantom-test",))
    app = open_page(PAGE, model="tiny", show="models")
    assert not app.exception
    assert list(app.dataframe[0].value["model"]) == ["Tiny (tiny)", "Tiny (twin)"]


def test_a_network_that_was_not_measured_is_named_beside_the_others(app_with_rows, monkeypatch, tmp_path):
    new = dataclasses.replace(app_with_rows, folder=tmp_path, card=dataclasses.replace(app_with_rows.card, title="New"))
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": app_with_rows, "new": new}, {}))
    app = open_page(PAGE, model="tiny", show="models")
    assert not app.exception
    assert list(app.dataframe[0].value["model"]) == ["Tiny"]
    assert any(caption.value == "Not measured on these images: New." for caption in app.caption)


def test_a_model_without_rows_is_told_how_to_get_them(tiny):  # noqa: F811
    app = open_page(PAGE)
    assert not app.exception
    assert "python -m train shortcuts" in app.info[0].value


def test_a_phantom_is_shown_with_each_part_blanked_and_what_the_model_says(fake_model):  # noqa: F811
    app = open_page(PAGE, show="film", collection="phantom", image="test/0001-lobar")
    assert not app.exception
    assert fake_model.asked == len(app.get("image")) == 1 + len(PARTS)
    text = shown(app)
    assert text.count("Probability **0.700**: calls it pneumonia") == 1 + len(PARTS)
    assert text.count("Moved by +0.000") == len(PARTS)


def test_where_no_lungs_are_found_nothing_is_blanked(fake_model, monkeypatch):  # noqa: F811
    monkeypatch.setattr("views.shared.shortcuts.Phantom", type(None))
    fake_model.lungs, fake_model.doubts = None, (gate.NO_LUNGS,)
    app = open_page(PAGE, show="film", collection="phantom", image="test/0001-lobar")
    assert not app.exception
    assert "No lungs found" in app.warning[0].value
    assert fake_model.asked == 0

"""Damaged and hand-edited prediction files on the evidence pages: file, line and column are named, the rest works."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from test_evidence_pages import ERRORS, PERFORMANCE, add_export, text, visit

from model_zoo import evaluation
from model_zoo.card import write_card
from model_zoo.registry import open_export
from views.shared import cache

COMPARE = "views/evidence/compare.py"
EVIDENCE = (PERFORMANCE, ERRORS)
FILE = "phantom-test.csv"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """Two models with phantom rows only."""
    for seed, model_id in enumerate(("alpha", "beta")):
        folder = tmp_path / "exports" / model_id
        add_export(folder, seed)
        (folder / "predictions" / "chest_xray-test.csv").unlink()
    for function in (cache._exports, cache._predictions, cache._unknown_images, cache.collection):
        function.clear()
    monkeypatch.setattr(cache, "EXPORTS", tmp_path / "exports")
    return tmp_path / "exports"


def edited(root: Path, edit) -> None:
    path = root / "alpha" / "predictions" / FILE
    lines = path.read_text().splitlines()
    path.write_bytes("\n".join(edit(lines)).encode(errors="surrogateescape") + b"\n")


def value(column: int, new: str):
    """An edit of one value on line 8."""

    def edit(lines):
        values = lines[7].split(",")
        values[column] = new
        return [*lines[:7], ",".join(values), *lines[8:]]

    return edit


UNUSABLE = {
    "label 2": (value(2, "2"), "line 8, column label: expected 0 or 1. Received: '2'"),
    "no label": (value(2, ""), "line 8, column label: expected 0 or 1. Received: ''"),
    "NaN": (value(4, "nan"), "line 8, column probability: expected a number from 0 to 1. Received: 'nan'"),
    "no score": (value(4, ""), "line 8, column probability"),
    "infinite score": (value(4, "inf"), "line 8, column probability"),
    "logit in place of a probability": (value(4, "3.2"), "line 8, column probability"),
    "no patient": (value(1, ""), "line 8, column patient_id"),
    "no image": (value(0, ""), "line 8, column image_id"),
    "an image twice": (lambda lines: [*lines[:7], lines[6], *lines[7:]], "line 8, column image_id"),
    "a line cut off": (lambda lines: [*lines[:7], lines[7][:14]], "line 8: expected 5 values"),
    "a column renamed": (
        lambda lines: [lines[0].replace("label", "truth"), *lines[1:]],
        "line 1: expected the columns",
    ),
    "a header only": (lambda lines: lines[:1], "expected at least one row"),
    "nothing": (lambda lines: [], "line 1: expected the columns"),
    "bytes of another kind": (lambda lines: [*lines[:7], "\udcff\udcfe"], "expected UTF-8 text"),
}


@pytest.mark.parametrize("page", EVIDENCE)
@pytest.mark.parametrize("damage", UNUSABLE)
def test_unusable_rows_are_named_and_other_models_work(root, page, damage):
    edit, expected = UNUSABLE[damage]
    edited(root, edit)
    app = visit(page, model="alpha", set="phantom-test")
    said = text(app)
    assert FILE in said
    assert expected in said
    app = visit(page, model="beta", set="phantom-test")
    assert not app.error


OTHERS = {
    "another label": lambda lines: [*lines[:7], flipped(lines[7]), *lines[8:]],
    "cut at the end of a line": lambda lines: lines[:9],
    "cut in the last value": lambda lines: [*lines[:-1], lines[-1][: lines[-1].rindex(".") + 1]],
}


def flipped(line: str) -> str:
    values = line.split(",")
    values[2] = str(1 - int(values[2]))
    return ",".join(values)


@pytest.mark.parametrize("damage", OTHERS)
def test_rows_that_the_card_s_figures_are_not_of_are_named_and_other_models_work(root, damage):
    alpha = open_export("alpha", root)
    summary = evaluation.summarise(alpha.predictions("phantom-test"), alpha.card.threshold.value)
    write_card(dataclasses.replace(alpha.card, metrics={"phantom-test": summary}), alpha.folder / "card.json")
    for page in (*EVIDENCE, COMPARE):
        assert "figures are of" not in text(visit(page, model="alpha", set="phantom-test"))
    edited(root, OTHERS[damage])
    for page in (*EVIDENCE, COMPARE):
        said = text(visit(page, model="alpha", set="phantom-test"))
        assert f"{FILE}: expected the rows that the card's figures are of, {summary['images']} images" in said
    assert "Sorted by AUROC" in said
    assert not visit(PERFORMANCE, model="beta", set="phantom-test").error


def test_damaged_validation_rows_are_named_where_operating_points_are_missing(root):
    alpha = open_export("alpha", root)
    shutil.copy(alpha.predictions_path("phantom-test"), alpha.predictions_path("phantom-validation"))
    assert len(points_of(visit(PERFORMANCE, model="alpha", set="phantom-test"))) == 4
    lines = alpha.predictions_path("phantom-validation").read_text().splitlines()
    alpha.predictions_path("phantom-validation").write_text("\n".join(value(4, "nan")(lines)) + "\n")
    app = visit(PERFORMANCE, model="alpha", set="phantom-test")
    assert not app.error
    assert "phantom-validation.csv, line 8, column probability" in text(app)
    assert len(points_of(app)) == 2


def points_of(app) -> list:
    return [button for button in app.button if button.key.startswith("performance.point.")]


def test_a_folder_in_place_of_a_file_is_named(root):
    (root / "alpha" / "predictions" / "phantom-random25.csv").mkdir()
    app = visit(PERFORMANCE, model="alpha", set="phantom-random25")
    assert not app.exception
    assert "phantom-random25.csv: expected prediction rows. Received: Is a directory" in text(app)


@pytest.mark.parametrize("page", EVIDENCE)
def test_rows_of_unknown_images_are_named_and_still_used(root, page):
    edited(root, lambda lines: [*lines[:7], "test/9999-none,x,0,,0.5", *lines[7:], "test/9998-none,y,0,,0.5"])
    app = visit(page, model="alpha", set="phantom-test")
    assert not app.error
    said = text(app)
    assert f"{FILE}, line 8, column image_id: expected an image of the collection" in said
    assert "'test/9999-none'. 1 more rows are like it." in said
    assert "line 8" not in text(visit(page, model="beta", set="phantom-test"))


@pytest.mark.parametrize("page", EVIDENCE)
def test_images_are_not_looked_for_without_the_collection(root, page):
    predictions = root / "alpha" / "predictions"
    shutil.copy(predictions / FILE, predictions / "chest_xray-test.csv")
    app = visit(page, model="alpha", set="chest_xray-test")
    assert not app.error
    assert "column image_id" not in text(app)

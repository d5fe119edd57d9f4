"""Damaged and hand-edited prediction files on the evidence pages: file, line and column are named, the rest works."""

import shutil
from pathlib import Path

import pytest
from test_evidence_pages import ERRORS, PERFORMANCE, add_export, text, visit

from views.shared import cache

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

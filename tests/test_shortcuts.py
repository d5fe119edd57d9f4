"""Rows of what a network answers on blanked films, the figures from them, and what is said of them."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from cases.collections import open_collection, phantom
from model_zoo import shortcuts
from model_zoo.blanking import blanked, parts
from model_zoo.evaluation import auroc_interval
from model_zoo.intervals import Estimate
from model_zoo.registry import ExportError
from views.shared import words

PROBABILITIES = {
    "nothing": (0.9, 0.6, 0.3, 0.1),
    "marker": (0.9, 0.2, 0.3, 0.1),
    "borders": (0.8, 0.6, 0.3, 0.2),
    "outside": (0.9, 0.6, 0.3, 0.1),
    "lungs": (0.7, 0.7, 0.7, 0.7),
}


def some_rows() -> pd.DataFrame:
    """Two ill and two healthy images; a marker on the second alone."""
    return pd.DataFrame(
        [
            (f"test/{image}", f"patient {image}", int(image < 2), change, share(change, image), probability)
            for change, values in PROBABILITIES.items()
            for image, probability in enumerate(values)
        ],
        columns=list(shortcuts.COLUMNS),
    )


def share(change: str, image: int) -> float:
    if change == "marker":
        return 0.01 if image == 1 else 0.0
    return 0.0 if change == "nothing" else 0.4


@pytest.fixture
def stored(tiny_export, tmp_path):
    """A copy of the tiny export with rows."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_export.folder, folder)
    export = dataclasses.replace(tiny_export, folder=folder)
    path = shortcuts.rows_path(export, "phantom-test")
    path.parent.mkdir()
    some_rows().to_csv(path, index=False)
    return export


def test_figures_are_those_of_the_rows():
    found = shortcuts.responses(some_rows(), threshold=0.5)
    assert tuple(found) == shortcuts.CHANGES
    assert found["nothing"].rates["auroc"].value == found["nothing"].rates["accuracy"].value == 1
    assert found["nothing"].moved is found["nothing"].flipped is None
    assert found["lungs"].rates["auroc"].value == 0.5
    assert found["lungs"].rates["specificity"].value == 0
    assert found["lungs"].moved.value == pytest.approx((0.2 + 0.1 + 0.4 + 0.6) / 4)
    assert found["lungs"].flipped.value == 0.5
    assert found["borders"].moved.value == pytest.approx(0.05)
    assert found["borders"].flipped.value == 0


def test_films_without_a_marker_count_in_the_rates_and_not_in_what_moved():
    marker = shortcuts.responses(some_rows(), threshold=0.5)["marker"]
    assert marker.films == 1
    assert marker.moved.value == pytest.approx(0.4)
    assert marker.flipped.value == 1
    assert marker.rates["sensitivity"].value == 0.5
    alone = some_rows()
    alone = alone[alone["change"] == "marker"]
    assert marker.rates["auroc"] == auroc_interval(alone)


def test_a_part_that_no_film_has_moved_nothing():
    rows = some_rows()
    rows.loc[rows["change"] == "marker", "share"] = 0.0
    found = shortcuts.responses(rows, threshold=0.5)["marker"]
    assert (found.films, found.moved, found.flipped) == (0, None, None)


def test_rows_come_back_as_they_were(stored):
    assert shortcuts.sets(stored) == ("phantom-test",)
    pd.testing.assert_frame_equal(shortcuts.read_shortcuts(stored, "phantom-test"), some_rows())


def test_rows_that_cannot_be_used_are_named(stored):
    with pytest.raises(ExportError, match=r"python -m train shortcuts tiny.*no such file"):
        shortcuts.read_shortcuts(stored, "chest_xray-test")
    path = shortcuts.rows_path(stored, "phantom-test")
    some_rows().drop(columns="share").to_csv(path, index=False)
    with pytest.raises(ExportError, match="without share"):
        shortcuts.read_shortcuts(stored, "phantom-test")
    rows = some_rows()
    rows[rows["change"] != "lungs"].to_csv(path, index=False)
    with pytest.raises(ExportError, match="with each of the changes nothing, marker"):
        shortcuts.read_shortcuts(stored, "phantom-test")


DAMAGE = {
    "nothing left": (lambda lines: [], "line 1: expected the columns"),
    "a line cut off": (lambda lines: [*lines[:-1], lines[-1][:12]], "expected 6 values"),
    "the last lines gone": (lambda lines: lines[:-2], "expected every one of 4 images"),
    "a row twice": (lambda lines: [*lines, lines[4]], "no other row of the same image_id and change"),
    "a word": (lambda lines: [*lines[:3], lines[3].rpartition(",")[0] + ",high"], "column probability.*'high'"),
    "no number": (lambda lines: [lines[0], *(line.rpartition(",")[0] + "," for line in lines[1:])], "from 0 to 1"),
    "another label": (lambda lines: [line.replace(",1,", ",0.5,") for line in lines], "labels of 0 or 1"),
    "other bytes": (lambda lines: [*lines, "\udcff"], "expected UTF-8 text"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_rows_are_named(stored, damage):
    path = shortcuts.rows_path(stored, "phantom-test")
    edit, message = DAMAGE[damage]
    path.write_bytes("\n".join(edit(path.read_text().splitlines())).encode(errors="surrogateescape"))
    with pytest.raises(ExportError, match=message):
        shortcuts.read_shortcuts(stored, "phantom-test")


def test_measured_rows_are_what_the_network_says_of_blanked_films(stored, monkeypatch):
    from model_zoo.engine import Engine
    from train.shortcuts import measure

    monkeypatch.setattr(phantom, "SIZES", {"train": 0, "val": 0, "test": 4})
    other = dataclasses.replace(stored, folder=stored.folder.parent / "other")
    shutil.copytree(stored.folder, other.folder)
    measure([stored, other], "phantom-test")
    rows = shortcuts.read_shortcuts(stored, "phantom-test")
    pd.testing.assert_frame_equal(rows, shortcuts.read_shortcuts(other, "phantom-test"))
    collection, engine = open_collection("phantom"), Engine(stored)
    assert len(rows) == 4 * len(shortcuts.CHANGES)
    for row in rows.itertuples():
        film = collection.load(row.image_id)
        masks = parts(film.pixels, film.lung_fields > 0)
        pixels = blanked(film.pixels, masks[row.change]) if row.change in masks else film.pixels
        expected = engine.scores(engine.input(pixels)[np.newaxis])[0]
        assert row.probability == pytest.approx(expected, abs=1e-4)
        assert row.share == pytest.approx(masks[row.change].mean() if row.change in masks else 0, abs=1e-4)


def response(value: float, low: float, high: float) -> shortcuts.Response:
    return shortcuts.Response({"auroc": Estimate(value, low, high)}, 0, None, None)


def test_a_shortcut_is_called_so_only_beyond_chance():
    found = {"nothing": response(0.97, 0.95, 0.99), "outside": response(0.9, 0.88, 0.92)}
    text = words.shortcut({**found, "lungs": response(0.88, 0.85, 0.91)})
    assert "**0.880 (0.850 to 0.910)**" in text
    assert "there is a shortcut that it can take" in text
    assert "0.070 less than the 0.970 of whole films" in text
    text = words.shortcut({**found, "lungs": response(0.55, 0.48, 0.62)})
    assert "not tell pneumonia from normal films beyond chance" in text
    better = {**found, "outside": response(0.98, 0.96, 0.99), "lungs": response(0.5, 0.4, 0.6)}
    assert "no less than the 0.970" in words.shortcut(better)


def test_a_move_has_its_sign():
    assert words.moved(0.25, 0.5) == "+0.250"
    assert words.moved(0.5, 0.25) == "−0.250"

"""Histories: read strictly, and a learning rate drawn within the epochs only where that is exact."""

import pandas as pd
import pytest

from model_zoo.history import HISTORY_COLUMNS, HistoryError, read_history, schedule
from model_zoo.registry import networks, scan

EXPORTED = networks(scan()[0])
LINES = [
    ",".join(HISTORY_COLUMNS),
    "1,head,0.001,0.5,0.7,0.6,0.65,12.5",
    "2,head,0.0,0.4,0.8,0.5,0.75,11.5",
    "3,all layers,0.0005,0.3,0.9,0.4,0.85,90.25",
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("\n".join(LINES) + "\n")
    return path


def test_rows_are_read_as_numbers(path):
    history = read_history(path, 3)
    assert tuple(history.columns) == HISTORY_COLUMNS
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["stage"].tolist() == ["head", "head", "all layers"]
    assert history["seconds"].sum() == 114.25


@pytest.mark.parametrize(
    ("line", "column", "value"),
    [
        (2, "epoch", "2"),
        (3, "epoch", "two"),
        (3, "stage", ""),
        (4, "learning_rate", "-1"),
        (2, "loss", "nan"),
        (3, "accuracy", "80"),
        (4, "val_loss", "inf"),
        (4, "val_accuracy", ""),
        (2, "seconds", "-3"),
    ],
)
def test_an_edited_value_is_named_with_file_line_and_column(path, line, column, value):
    cells = LINES[line - 1].split(",")
    cells[HISTORY_COLUMNS.index(column)] = value
    path.write_text("\n".join([*LINES[: line - 1], ",".join(cells), *LINES[line:]]))
    with pytest.raises(HistoryError) as error:
        read_history(path, 3)
    assert f"history.csv, line {line}, column {column}: expected" in str(error.value)
    assert str(error.value).endswith(f"Received: {value!r}.")


def test_a_history_cut_between_lines_or_within_one_is_noticed(path):
    path.write_text("\n".join(LINES[:3]))
    with pytest.raises(HistoryError, match=r"line 3, column epoch: expected the card's 3 epochs\. Received: 2"):
        read_history(path, 3)
    path.write_text("\n".join(LINES)[:-20])
    with pytest.raises(HistoryError, match=r"line 4: expected 8 values, one per column\. Received: "):
        read_history(path, 3)
    path.write_text("")
    with pytest.raises(HistoryError, match="line 1: expected the columns epoch, stage"):
        read_history(path, 3)
    path.unlink()
    with pytest.raises(HistoryError, match=r"expected a training history\. Received: no such file"):
        read_history(path, 3)


@pytest.mark.parametrize("model_id", sorted(EXPORTED))
def test_every_export_has_a_history_that_can_be_read(model_id):
    export = EXPORTED[model_id]
    history = read_history(export.folder / "history.csv", export.card.training.epochs)
    assert history["seconds"].sum() == pytest.approx(export.card.training.seconds, abs=0.06)


def test_resnet34_has_the_two_bumps_of_its_recipe():
    card = EXPORTED["resnet34"].card
    history = read_history(EXPORTED["resnet34"].folder / "history.csv", card.training.epochs)
    drawn = schedule(history, card.recipe, card.data.counts["training"]["images"])
    for stage, highest, at in (("first cycle", 1e-3, 2.1), ("second cycle", 3e-4, 8.2)):
        bump = drawn[drawn["stage"] == stage].set_index("epochs")["learning_rate"]
        assert bump.max() == pytest.approx(highest, rel=0.01)
        assert bump.idxmax() == pytest.approx(at, abs=0.05)
        assert bump.iloc[[0, -1]].tolist() == pytest.approx([0, 0], abs=1e-9)


def test_a_schedule_that_the_history_contradicts_is_not_drawn():
    stages = [{"name": "one", "epochs": 2, "learning_rate": 0.1, "warmup": 0.5}]
    recipe = {"batch_size": 4, "stages": stages}
    rows = [(1, "one", 0.1, 0, 0, 0, 0, 1), (2, "one", 0.0, 0, 0, 0, 0, 1)]
    history = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    assert schedule(history, recipe, 40)["learning_rate"].max() == pytest.approx(0.1)
    assert schedule(history.assign(learning_rate=[0.1, 0.01]), recipe, 40) is None
    assert schedule(history.assign(stage=["one", "other"]), recipe, 40) is None
    assert schedule(history, {"seed": 0}, 40) is None

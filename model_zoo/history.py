"""How a training went, epoch by epoch: history.csv of an export.

epoch            1, 2, ... over all stages
stage            name of the stage in the recipe, and of the run where several were averaged (stage_of_run)
learning_rate    at the epoch's end
loss, accuracy   means over the epoch's training batches
val_loss, val_accuracy   on the validation images, after the epoch
seconds          that the epoch took
"""

from pathlib import Path

import numpy as np
import pandas as pd

from model_zoo.tables import read_table, require

HISTORY_COLUMNS = ("epoch", "stage", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
# Points per epoch of a drawn schedule; a history stores rates with six decimals.
_POINTS, _ROUNDING = 40, 1e-6


def stage_of_run(stage: str, number: int) -> str:
    """The name of a stage in the history of several runs, one after the other, whose weights were averaged."""
    return f"run {number}, {stage}"


class HistoryError(ValueError):
    """A history cannot be used. The message names file, line and column, and what was received."""


def read_history(path: Path, epochs: int) -> pd.DataFrame:
    """The rows of one file, in HISTORY_COLUMNS order. epochs: as many as the card says that there were.

    Raises HistoryError for a file that is missing, cut or edited into something else.
    """
    header, records, lines = read_table(path, "a training history", HISTORY_COLUMNS, HistoryError)
    rows = pd.DataFrame(records, columns=header, dtype=str)[list(HISTORY_COLUMNS)]
    numbers = rows.drop(columns="stage").apply(pd.to_numeric, errors="coerce")
    finite = np.isfinite(numbers)
    checks = (
        ("epoch", numbers["epoch"] == np.arange(1, len(rows) + 1), "the epochs in order, from 1"),
        ("stage", rows["stage"] != "", "a stage's name"),
        ("learning_rate", finite["learning_rate"] & (numbers["learning_rate"] >= 0), "a rate of 0 or more"),
        ("loss", finite["loss"], "a number"),
        ("accuracy", numbers["accuracy"].between(0, 1), "a share from 0 to 1"),
        ("val_loss", finite["val_loss"], "a number"),
        ("val_accuracy", numbers["val_accuracy"].between(0, 1), "a share from 0 to 1"),
        ("seconds", finite["seconds"] & (numbers["seconds"] >= 0), "seconds, 0 or more"),
    )
    require(path, rows, lines, checks, HistoryError)
    if len(rows) != epochs:
        raise HistoryError(
            f"{path}, line {lines[-1]}, column epoch: expected the card's {epochs} epochs. Received: {len(rows)}."
        )
    return numbers.astype({"epoch": int}).assign(stage=rows["stage"])[list(HISTORY_COLUMNS)]


def schedule(history: pd.DataFrame, recipe: dict, images: int) -> pd.DataFrame | None:
    """The learning rate within the epochs: columns epochs (a float, 0 at the start), stage and learning_rate.

    Each stage warms up from 0 in a straight line and then falls to 0 along a cosine (Loshchilov and Hutter 2017), or
    stays where it is when the recipe has no decay.
    recipe: the card's. images: how many were trained on. None when that does not give the rates of the history: a
    guess is not drawn.
    """
    named = [(stage["name"], stage) for stage in recipe.get("stages", ())]
    if (runs := recipe.get("averaged_runs", 1)) > 1:
        named = [(stage_of_run(name, number), stage) for number in range(1, runs + 1) for name, stage in named]
    drawn, before = [], 0
    for name, stage in named:
        run = history[history["stage"] == name]
        per_epoch = stage.get("steps") or images // recipe["batch_size"]
        rates = _rates(stage, per_epoch, np.arange(1, len(run) + 1) * per_epoch)
        if np.abs(rates - run["learning_rate"].to_numpy()).max(initial=0) > _ROUNDING:
            return None
        epochs = np.linspace(0, len(run), len(run) * _POINTS + 1)
        rates = _rates(stage, per_epoch, epochs * per_epoch)
        drawn.append(pd.DataFrame({"epochs": before + epochs, "stage": name, "learning_rate": rates}))
        before += len(run)
    return pd.concat(drawn, ignore_index=True) if before == len(history) else None


def _rates(stage: dict, per_epoch: int, steps: np.ndarray) -> np.ndarray:
    """Learning rates after so many steps of a stage."""
    total = stage["epochs"] * per_epoch
    warmup = max(1, round(stage["warmup"] * total))
    fallen = np.clip((steps - warmup) / max(1, total - warmup), 0, 1)
    after = (1 + np.cos(np.pi * fallen)) / 2 if stage.get("decay", True) else 1.0
    return stage["learning_rate"] * np.where(steps < warmup, steps / warmup, after)

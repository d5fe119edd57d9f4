"""Networks trained on all training films towards `champion`, judged on validation films before any is read on the test
split.

    python -m train judge champion-224

Unlike the experiments they cannot be judged on films apart, as their teachers know all of those. Rows, one per
candidate, in docs/candidates.csv, with the columns ROW.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import pandas as pd

from cases.collections import open_collection
from cases.settings import PROJECT_ROOT
from model_zoo.folding import folded
from train.data import entries_of, load_images
from train.recipe import RecipeError, load_recipe, split_repeat
from train.results import table
from train.rows import put_rows, stored_rows
from train.stress import CRITERIA, judged, stressed_films

ROWS = PROJECT_ROOT / "docs" / "candidates.csv"
ROW = ("candidate", *CRITERIA)


@dataclass(frozen=True)
class Candidate:
    """what: how it was trained. read: whether it was read on the test split afterwards."""

    what: str
    read: bool


def _thrice(name: str, what: str, read: bool = True) -> dict[str, Candidate]:
    """A candidate and its two repeats, all read or none."""
    others = {1: "The same with other draws.", 2: "And with others again."}
    repeats = {f"{name}-repeat-{number}": Candidate(said, read) for number, said in others.items()}
    return {name: Candidate(what, read), **repeats}


# By the name of the run's folder.
CANDIDATES = {
    "champion-untaught": Candidate(
        "The first `champion`: `moderate`, without teachers, from ImageNet's weights, 10 epochs.", read=True
    ),
    **_thrice("champion-noisy", "The second: from `mobilenetv2-all`, two teachers, hard, 8 epochs."),
    "champion-16": Candidate("`champion-noisy`, and 8 epochs more in a second cycle.", read=False),
    "champion-224": Candidate("As `champion-noisy`, at 224 pixels.", read=False),
    **_thrice(
        "champion-mixed",
        "From `champion-noisy`, which teaches with `cnn11` and `mobilenetv2-all`, films mixed in pairs, 6 epochs.",
    ),
    **_thrice("champion-resnet", "From `champion-noisy`, which teaches with `resnet50-all`, 3 epochs."),
    **_thrice("champion-quiet", "From `champion-noisy`, no noise added to the films, on the labels alone, 2 epochs."),
    **_thrice(
        "champion-clean", "From `mobilenetv2-quiet`, which teaches with `vgg16-weighted`, no noise added, 4 epochs."
    ),
    **_thrice(
        "champion-retaught",
        "From `champion-noisy`, with the same teachers, their dropout off and their films as noisy as those that they "
        "learnt from; no noise added to its own, 2 epochs.",
    ),
    **_thrice(
        "champion-onward", "As `champion-quiet`, and with `champion-noisy`'s head to go on from, in place of a new one."
    ),
    **_thrice("champion-averaged", "The third: the mean of the weights of three runs of `champion-onward`."),
    "champion-noisy-mended": Candidate(
        "`champion-noisy`, and the dropout of its teachers off, as it is for all that is fitted now.", read=False
    ),
    "champion-mended": Candidate("As `champion-averaged`, from `champion-noisy-mended`.", read=False),
    **_thrice(
        "champion-at-224", "The weights of `champion-averaged`, given films at 224 pixels in place of 192.", read=False
    ),
    "champion-finer": Candidate("`champion-averaged`, taught on at 224 pixels, 1 epoch at half the rate.", read=False),
    **_thrice("champion-sizes", "The weights of `champion-averaged`, looking at the film at 192 and at 224 pixels."),
    **_thrice(
        "champion-taught",
        "From `champion-averaged`, which teaches with `vgg16-weighted`, as the committee; no noise added, 2 epochs at "
        "half the rate; looking at the film at 192 and at 224 pixels.",
    ),
    **_thrice("champion", "`champion` as it is now: the mean of the weights of two runs of `champion-taught`."),
}


def judge(names: list[str], runs: Path) -> pd.DataFrame:
    """Judge the finished runs of candidates on the films that they held out, each of which adds its row to ROWS in
    place of an earlier one, and return all rows. Raises RecipeError for an unknown name or a run that is not finished,
    before any is judged; CollectionUnavailable without all of those films and the lung masks."""
    for name in names:
        if name not in CANDIDATES:
            raise RecipeError(f"Expected candidates of {', '.join(CANDIDATES)}. Received: {name!r}.")
        if not (runs / name / "trained.keras").exists():
            raise RecipeError(f"{runs / name}: expected a finished run. Received: no trained.keras. Run `fit` first.")
    for name in names:
        network = folded(keras.models.load_model(runs / name / "trained.keras", compile=False))
        _, side, _, channels = network.input_shape
        recipe = replace(load_recipe("champion"), side=side, channels=channels)
        collection = open_collection(recipe.collection)
        held_out = json.loads((runs / name / "split.json").read_text())["validation"]
        plain = load_images(collection, entries_of(collection, held_out), side, channels)
        figures = judged(network, plain, stressed_films(recipe, plain)).criteria
        put_rows(pd.DataFrame([{"candidate": name, **figures}], columns=list(ROW)), ROWS, ("candidate",))
    return read_rows()


def read_rows() -> pd.DataFrame:
    return stored_rows(ROWS, ROW)


def without_recipe() -> list[str]:
    """The candidates that have rows and cannot be run again, since no recipe of that name is in the repository."""
    return [name for name in CANDIDATES if name in set(read_rows()["candidate"]) and not _has_recipe(name)]


def _has_recipe(name: str) -> bool:
    try:
        load_recipe(name)
    except RecipeError:
        return False
    return True


def candidates_table() -> str:
    """Markdown: the candidates that have rows, in the order of CANDIDATES, and the mean of those that were repeated."""
    rows = read_rows().set_index("candidate")
    named = {name: candidate for name, candidate in CANDIDATES.items() if name in rows.index}
    lines = []
    for name, candidate in named.items():
        lines.append([f"`{name}`", candidate.what, *_figures(rows.loc[name]), "yes" if candidate.read else "no"])
    for first in sorted({split_repeat(name)[0] for name in named if split_repeat(name)[1]}):
        runs = [name for name in named if split_repeat(name)[0] == first]
        lines.append([f"mean of {len(runs)}", f"`{first}` and its repeats", *_figures(rows.loc[runs].mean()), ""])
    return table(["run", "what", *CRITERIA, "read on the test split"], lines)


def _figures(row: pd.Series) -> list[str]:
    return [f"{row[criterion]:.4f}" for criterion in CRITERIA]

"""Experiments towards the champion, none of which ever sees a test image.

Each is a recipe, cut down so that it takes minutes, that trains without some kind of films (data.UNSEEN) and is then
judged on those: a stand-in for a test split that differs from the training images.
Every epoch's weights are scored, so that the page also says which figure of the validation images, plain or stressed,
ranks networks as the unseen films do.

Rows, one per experiment, repeat and epoch, in docs/experiments.csv, with the columns ROW.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from textwrap import fill

import keras
import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from cases.collections import open_collection
from cases.settings import PROJECT_ROOT
from model_zoo.evaluation import auroc_interval, expected_calibration_error
from model_zoo.files import replace_text
from model_zoo.operating import at_sensitivity
from model_zoo.registry import Export
from model_zoo.repeats import figures_of_runs
from train.augment import geometry_and_exposure
from train.candidates import candidates_table, without_recipe
from train.data import ImageSet, development_entries, development_parts, load_images, without_unseen
from train.fit import checkpointed_networks, fit
from train.recipe import (
    HARD_AUGMENTATION,
    MODERATE_AUGMENTATION,
    QUIET_AUGMENTATION,
    Augmentation,
    Recipe,
    RecipeError,
    Stage,
)
from train.recipes import champion, champion_noisy
from train.results import listed, models_table, table, wrapped
from train.rows import put_rows, stored_rows
from train.stress import CRITERIA, STRESSES, judged, stressed_films
from train.width_only import ID as WIDTH_ONLY

# Networks on all training films that came of it.
_FINISHED = ("champion", "even-sizes")
ROWS, PAGE = (PROJECT_ROOT / "docs" / f"experiments.{kind}" for kind in ("csv", "md"))
# The page's words, with a {name} where a table or a figure goes.
WORDS = Path(__file__).with_name("experiments_page.md")
MILD_AUGMENTATION = Augmentation(horizontal_flip=True, rotation=8, translation=0.05)
HARD_GEOMETRY, _ = geometry_and_exposure(HARD_AUGMENTATION)
HARD_EXPOSURE = replace(
    HARD_AUGMENTATION, **{name: getattr(MILD_AUGMENTATION, name) for name in ("translation", "zoom")}
)
# Runs of each experiment, on the same split with other draws: fewer say little of a difference.
REPEATS = 3
# Unseen films per class that are scored, at most.
UNSEEN_IMAGES = 600
# What the page says of each of data.UNSEEN; the numbers are of the films for training, for validation and unseen.
UNSEEN_KINDS = {
    "series": '- **by series**: trained on {:,} films, normals of the series "IM-" and bacterial pneumonias, with {:,} '
    'more, of other patients, as validation images; judged on {:,} normals of the series "NORMAL2-IM-" and viral '
    "pneumonias;",
    "size": "- **by size**: the films were cut before they were published, those of the two classes differently, and a "
    "film's height says more of its class than its width. Trained on {:,} films, with {:,} for validation; judged on "
    "{:,}, from the 30% of the normals of least height and of the pneumonias of greatest height: of these, their size "
    "says the wrong thing. A quarter of their patients is left in training.",
}
UNSEEN = ("unseen AUROC", "unseen accuracy", "unseen ECE")
PARTS = ("training images", "validation images", "unseen images")
ROW = ("experiment", "repeat", "epoch", *CRITERIA, *UNSEEN, *PARTS, "seconds")


@dataclass(frozen=True)
class Experiment:
    """why: what was to be found out. settings: what sets it apart."""

    recipe: Recipe
    why: str
    settings: dict


def _experiment(
    name: str, why: str, *, joined=True, gated=True, fixed_statistics=True, side=128, **changes
) -> Experiment:
    network = {"joined": joined, "gated": gated, "fixed_statistics": fixed_statistics}
    recipe = replace(
        champion_noisy.recipe(),
        id=name,
        build=partial(champion_noisy.build, side=side, maps=128, **network),
        side=side,
        stages=(Stage("all layers", epochs=4, learning_rate=2e-4),),
        lung_gate=champion_noisy.GATE if gated else "",
        teachers=(),
        exchanged_surroundings=0.0,
        augmentation=HARD_AUGMENTATION,
        label_smoothing=0.05,
        ema_momentum=0.98,
        held_out="series",
    )
    recipe = replace(recipe, **changes)
    return Experiment(recipe, why, _settings(recipe, network))


def _settings(recipe: Recipe, network: dict) -> dict:
    """What may set experiments apart, each by a name."""
    (stage,) = recipe.stages
    settings = recipe.hyperparameters() | network
    del settings["stages"]
    return {**settings, "epochs": stage.epochs, "learning_rate": stage.learning_rate}


_PLAIN = {"joined": False, "gated": False}
_BY_SIZE = {
    "held_out": "size",
    # Twice as many films are left.
    "stages": (Stage("all layers", epochs=4, steps=60, learning_rate=2e-4),),
}
_MILD_GATE_EXCHANGE = {"augmentation": MILD_AUGMENTATION, "exchanged_surroundings": 0.5}

EXPERIMENTS = {
    experiment.recipe.id: experiment
    for experiment in (
        _experiment("mild", "What flips, tilts and shifts reach.", augmentation=MILD_AUGMENTATION, **_PLAIN),
        _experiment("hard", "Exposure and geometry changed as far as a film stays readable.", **_PLAIN),
        _experiment(
            "exchange", "Half of the lungs in another film's surroundings.", exchanged_surroundings=0.5, **_PLAIN
        ),
        _experiment("joined", "A grid twice as fine, by joining the two last resolutions.", gated=False),
        _experiment("gate", "Each cell of that grid counts by how much of it is lung."),
        _experiment("gate-exchange", "The gate, and exchanged surroundings.", exchanged_surroundings=0.5),
        _experiment(
            "statistics",
            "And batch normalisation that learns on the X-rays.",
            exchanged_surroundings=0.5,
            fixed_statistics=False,
        ),
        _experiment(
            "quiet",
            "`gate-exchange`, and no noise added.",
            exchanged_surroundings=0.5,
            augmentation=QUIET_AUGMENTATION,
        ),
        _experiment(
            "gate-exchange-mild", "Both, and the films changed as little as at the start.", **_MILD_GATE_EXCHANGE
        ),
        _experiment(
            "geometry", "And moved and stretched hard.", **_MILD_GATE_EXCHANGE | {"augmentation": HARD_GEOMETRY}
        ),
        _experiment("exposure", "And exposed hard.", **_MILD_GATE_EXCHANGE | {"augmentation": HARD_EXPOSURE}),
        _experiment(
            "moderate",
            "And moved and stretched hard, exposed a little.",
            **_MILD_GATE_EXCHANGE | {"augmentation": MODERATE_AUGMENTATION},
        ),
        _experiment(
            "exchange-most",
            "More of the lungs in other surroundings.",
            **_MILD_GATE_EXCHANGE | {"exchanged_surroundings": 0.9},
        ),
        _experiment("mixup", "And films mixed in pairs.", mixup=0.2, **_MILD_GATE_EXCHANGE),
        _experiment("sure", "And labels as they are, not smoothed.", label_smoothing=0.0, **_MILD_GATE_EXCHANGE),
        _experiment(
            "longer",
            "And twice as many epochs.",
            stages=(Stage("all layers", epochs=8, learning_rate=2e-4),),
            **_MILD_GATE_EXCHANGE,
        ),
        _experiment("larger", "And 192 pixels in place of 128.", side=192, **_MILD_GATE_EXCHANGE),
        _experiment(
            "faster",
            "And twice the learning rate.",
            stages=(Stage("all layers", epochs=4, learning_rate=4e-4),),
            **_MILD_GATE_EXCHANGE,
        ),
        _experiment("size-mild", "`mild`.", augmentation=MILD_AUGMENTATION, **_PLAIN, **_BY_SIZE),
        _experiment("size-hard", "`hard`.", **_PLAIN, **_BY_SIZE),
        _experiment("size-gate-exchange", "`gate-exchange`.", exchanged_surroundings=0.5, **_BY_SIZE),
        _experiment(
            "size-quiet",
            "`quiet`.",
            exchanged_surroundings=0.5,
            augmentation=QUIET_AUGMENTATION,
            **_BY_SIZE,
        ),
        _experiment(
            "size-moderate",
            "`moderate`, gate and exchanged surroundings included.",
            **_MILD_GATE_EXCHANGE | {"augmentation": MODERATE_AUGMENTATION},
            **_BY_SIZE,
        ),
        _experiment(
            "size-even",
            "And both classes equally often from each range of heights.",
            even_heights=True,
            **_MILD_GATE_EXCHANGE | {"augmentation": MODERATE_AUGMENTATION},
            **_BY_SIZE,
        ),
    )
}


def run(names: list[str], runs: Path, weights: str | None) -> pd.DataFrame:
    """Fit and score experiments, each of which adds its rows to ROWS in place of earlier ones, and return all rows.

    names: all repeats of these, or of every experiment those whose rows are missing when there are none.
    runs: folder of the runs. weights: as fit()'s. Raises RecipeError for an unknown name, and as fit().
    """
    if unknown := [name for name in names if name not in EXPERIMENTS]:
        raise RecipeError(f"Expected experiments of {', '.join(EXPERIMENTS)}. Received: {unknown[0]!r}.")
    for name, repeat in [(name, repeat) for name in names for repeat in range(REPEATS)] or missing():
        recipe = replace(EXPERIMENTS[name].recipe, repeat=repeat)
        folder = runs / f"{name}-{repeat}"
        fit(recipe, folder, weights, keep_checkpoints=True)
        put_rows(_scored(recipe, folder), ROWS, ("experiment", "repeat"))
    return read_rows()


def missing() -> list[tuple[str, int]]:
    """(experiment, repeat) of the runs that have no rows in ROWS."""
    done = set(read_rows()[["experiment", "repeat"]].itertuples(index=False, name=None))
    return [(name, repeat) for name in EXPERIMENTS for repeat in range(REPEATS) if (name, repeat) not in done]


def read_rows() -> pd.DataFrame:
    return stored_rows(ROWS, ROW)


def write_experiments(exports: dict[str, Export], path: Path = PAGE) -> str:
    """Write docs/experiments.md from ROWS and the cards of the networks that came of it, and return its text.

    Raises RecipeError without rows of each kind of unseen films, and of what the words compare."""
    rows = read_rows()
    kinds = rows["experiment"].map(lambda name: EXPERIMENTS[name].recipe.held_out)
    by_kind = {kind: rows[kinds == kind] for kind in UNSEEN_KINDS}
    if empty := [kind for kind, own in by_kind.items() if own.empty]:
        raise RecipeError(
            f"Expected rows of experiments judged by {', '.join(UNSEEN_KINDS)} in {ROWS}. Received: none by "
            f"{empty[0]}. `python -m train experiments` runs what is missing."
        )
    page = WORDS.read_text(encoding="utf-8").format(
        stand_ins="\n".join(
            fill(meaning.format(*(int(own[part].iloc[-1]) for part in PARTS)), 120, subsequent_indent="  ")
            for meaning, own in zip(UNSEEN_KINDS.values(), by_kind.values(), strict=True)
        ),
        stresses=len(STRESSES),
        side=champion.recipe().side,
        kinds=", ".join(STRESSES),
        **{kind: _tried_table(own) for kind, own in by_kind.items()},
        unseen=unseen_auroc(rows),
        weights=" and ".join(f"{len(own)} by {kind}" for kind, own in by_kind.items()),
        criteria=_criteria_table(by_kind),
        candidates=candidates_table(),
        lost=_lost(without_recipe()),
        finished=models_table({name: exports[name] for name in _FINISHED}),
        repeats=_repeats_table(exports["champion"]),
        width=auroc_interval(exports[WIDTH_ONLY].predictions("chest_xray-test")),
    )
    replace_text(path, page)
    return page


def _repeats_table(export: Export) -> str:
    """Without a row when the export has no repeats."""
    figures = figures_of_runs(export, "chest_xray-test")
    lines = [[f"`{run}`", *(f"{value:.4f}" for value in values)] for run, *values in figures.itertuples()]
    if lines:
        lines.append(["mean", *(f"{value:.4f}" for value in figures.mean())])
    return table(["run", "AUROC", "accuracy", "sensitivity", "specificity", "ECE"], lines)


def _tried_table(rows: pd.DataFrame) -> str:
    """rows: of experiments judged by one kind of unseen films."""
    finals = _finals(rows)
    shown = ("plain AUROC", "stress AUROC", "stress likelihood", "agreement", *UNSEEN)
    lines = []
    for name, experiment in EXPERIMENTS.items():
        own = finals[finals["experiment"] == name]
        if len(own):
            figures = [_spread(own[column]) for column in shown]
            # Not the mean: a run may have waited for others.
            minutes = f"{own['seconds'].median() / 60:.0f}"
            lines.append([f"`{name}`", experiment.why, *figures, str(len(own)), minutes, _kept(experiment)])
    return table(["experiment", "what", *shown, "runs", "minutes", "kept"], lines)


def _lost(names: list[str]) -> str:
    """Markdown on candidates that have no recipe; "" for none."""
    lost = f"{len(names)} of these cannot be run again, as their recipes are not in the repository any more"
    return wrapped(f"{lost}: {listed([f'`{name}`' for name in names])}.\n", "") + "\n" if names else ""


class _Figures(dict):
    """By experiment. The page's words may ask for one that has none."""

    def __missing__(self, name: str):
        raise RecipeError(
            f"{WORDS}: expected unseen[NAME] of experiments that have rows, {', '.join(self)}. Received: {name!r}. "
            "`python -m train experiments NAME` adds rows."
        )


def unseen_auroc(rows: pd.DataFrame) -> dict[str, str]:
    """By experiment, the AUROC on unseen films in words, with how many runs it is of. Raises RecipeError when one
    without rows is asked for."""
    figures = _Figures()
    for name, values in _finals(rows).groupby("experiment")["unseen AUROC"]:
        runs = "one run" if len(values) == 1 else f"{len(values)} runs, {values.min():.3f} to {values.max():.3f}"
        figures[name] = f"{values.mean():.3f} ({runs})"
    return figures


def _finals(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's last epoch."""
    return rows.sort_values("epoch").groupby(["experiment", "repeat"]).last().reset_index()


def _spread(values: pd.Series) -> str:
    if len(values) == 1:
        return f"{values.iloc[0]:.3f}"
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def _kept(experiment: Experiment) -> str:
    """An experiment is kept when all that sets it apart from the first of its kind is in champion or champion-noisy,
    which it goes back to."""
    kind = experiment.recipe.held_out
    first = next(other for other in EXPERIMENTS.values() if other.recipe.held_out == kind)
    if experiment is first:
        return "the start"
    apart = {name: value for name, value in experiment.settings.items() if value != first.settings[name]}
    network = {"joined": True, "gated": True, "fixed_statistics": True}
    finals = [_settings(final.recipe(), network) for final in (champion, champion_noisy)]
    kept = any(
        all(final[name] >= value if name == "epochs" else final[name] == value for name, value in apart.items())
        for final in finals
    )
    return "yes" if kept else "no"


def _criteria_table(by_kind: dict[str, pd.DataFrame]) -> str:
    lines = []
    for name, meaning in CRITERIA.items():
        agreeing = (spearmanr(own[name], own["unseen AUROC"]).statistic for own in by_kind.values())
        lines.append([name, meaning, *(f"{value:+.2f}" for value in agreeing)])
    return table(["validation figure", "what it is", *(f"by {kind}" for kind in by_kind)], lines)


def _scored(recipe: Recipe, folder: Path) -> pd.DataFrame:
    """The rows of one run."""
    seconds = pd.read_csv(folder / "history.csv")["seconds"].cumsum()
    collection = open_collection(recipe.collection)
    training, validation = development_parts(recipe, collection)
    plain = load_images(collection, validation, recipe.side, recipe.channels)
    stressed = stressed_films(recipe, plain)
    unseen = load_images(collection, _unseen_sample(recipe), recipe.side, recipe.channels)
    counts = dict(zip(PARTS, map(len, (training, validation, unseen.entries)), strict=True))
    found = []
    for epoch, network in checkpointed_networks(recipe, folder):
        measured = _measured(network, recipe, plain, stressed, unseen)
        run = {"experiment": recipe.id, "repeat": recipe.repeat, "epoch": epoch, "seconds": seconds[epoch - 1]}
        found.append({**run, **counts, **measured})
    return pd.DataFrame(found, columns=list(ROW))


def _unseen_sample(recipe: Recipe) -> list:
    """UNSEEN_IMAGES of each class, the same for every experiment."""
    collection = open_collection(recipe.collection)
    _, unseen = without_unseen(recipe.held_out, collection, development_entries(collection))
    rng = np.random.default_rng(recipe.seed)
    classes = [[entry for entry in unseen if entry.label == label] for label in (0, 1)]
    return [own[i] for own in classes for i in sorted(rng.permutation(len(own))[:UNSEEN_IMAGES])]


def _measured(
    network: keras.Model, recipe: Recipe, plain: ImageSet, stressed: dict[str, np.ndarray], unseen: ImageSet
) -> dict[str, float]:
    judgement = judged(network, plain, stressed)
    p, q = judgement.plain, judgement.probabilities(unseen.images)
    called = q >= at_sensitivity(p, plain.labels, recipe.target_sensitivity)
    return {
        **judgement.criteria,
        "unseen AUROC": roc_auc_score(unseen.labels, q),
        "unseen accuracy": np.mean(called == (unseen.labels == 1)),
        "unseen ECE": expected_calibration_error(pd.DataFrame({"probability": q, "label": unseen.labels})),
    }

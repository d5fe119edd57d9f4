"""Experiments towards the champion, none of which ever sees a test image.

Each is a recipe, cut down so that it takes minutes, that trains without a series of films and a kind of pneumonia
(data.unseen_series) and is then judged on those: a stand-in for a test split that differs from the training images.
Every epoch's weights are scored, so that the page also says which figure of the validation images, plain or stressed,
ranks networks as the unseen films do.

Rows, one per experiment, repeat and epoch, in docs/experiments.csv, with the columns ROW.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import spearmanr
from sklearn.metrics import log_loss, roc_auc_score

from cases.collections import open_collection
from cases.settings import PROJECT_ROOT
from model_zoo.evaluation import expected_calibration_error
from model_zoo.operating import at_sensitivity
from model_zoo.registry import Export
from train import lung_lesson
from train.calibrate import fit_calibration
from train.data import ImageSet, development_entries, development_parts, load_images, unseen_series
from train.fit import checkpointed_networks, fit
from train.recipe import Augmentation, Recipe, RecipeError, Stage
from train.recipes import mobilenetv2_lungs
from train.results import models_table, table
from train.stress import STRESSES

ROWS, PAGE = (PROJECT_ROOT / "docs" / f"experiments.{kind}" for kind in ("csv", "md"))
MILD_AUGMENTATION = Augmentation(horizontal_flip=True, rotation=8, translation=0.05)
# Unseen films per class that are scored.
UNSEEN_IMAGES = 600
# Candidates for choosing by, each the better the higher: they look at validation images alone.
CRITERIA = {
    "plain AUROC": "AUROC on the validation films as they are",
    "plain likelihood": "minus their log loss, calibrated on them",
    "stress AUROC": "mean AUROC over the kinds of stress",
    "stress likelihood": "minus the mean log loss under stress, calibrated on the plain films",
    "lungs alone AUROC": "AUROC on validation films of which only the lungs are left",
    "agreement": "minus the mean change of the calibrated probability under stress",
}
UNSEEN = ("unseen AUROC", "unseen accuracy", "unseen ECE")
PARTS = ("training images", "validation images", "unseen images")
ROW = ("experiment", "repeat", "epoch", *CRITERIA, *UNSEEN, *PARTS, "seconds")


_PAGE = """# Experiments

Written by `python -m train experiments`; a test fails when it is stale. What was tried towards a `champion`,
the most accurate classifier that can be had honestly. No test image had a say in any of it.

## How

The test split differs from the films we train on, and a validation split does not: networks that it cannot tell apart
differ on the test split by several points. So each experiment trains without one series of films and one kind of
pneumonia, and is judged on those. It trains on {images[0]:,} films, normals of the series "IM-" and bacterial
pneumonias; {images[1]:,} more, of other patients, are its validation images; {images[2]:,} normals of the series
"NORMAL2-IM-" and viral pneumonias are the films it has not seen the like of. All are from the train and val folders of
the collection.

Stress is the validation films changed in {stresses} ways, the same way each time (`train/stress.py`):
{kinds}.
The operating point of the accuracy and the calibration of the ECE come from the plain validation films.

Every experiment starts from ImageNet's MobileNetV2 and takes its last epoch, so that no checkpoint is chosen;
weights are averaged over steps. Where it was run more than once, on the same split with other draws, the lowest and the
highest figure follow the mean.

## What was tried

{tried}
"Kept" says whether `{kept}` has it. That network was trained when only `gate` and `gate-exchange` had been
run: its hard augmentation was not chosen here, and what was run since does not speak for it.

## What to choose by

Rank correlation (Spearman) of each figure with what the unseen films say, over the {weights} sets of weights that the
{runs} runs had at the end of their epochs. The higher, the better it chooses; a negative one chooses the wrong way.

{criteria}
## What became of it

`{kept}`, trained on all training films at {side} pixels, and its repeats on the same split with other draws. Here, last
and once per network, is the official test split.

{finished}
"""


@dataclass(frozen=True)
class Experiment:
    """why: what was to be found out. settings: what sets it apart. repeats: how many runs on the same split."""

    recipe: Recipe
    why: str
    settings: dict
    repeats: int


def _experiment(name: str, why: str, *, joined=True, gated=True, side=128, repeats=1, **changes) -> Experiment:
    recipe = replace(
        mobilenetv2_lungs.recipe(),
        id=name,
        build=partial(mobilenetv2_lungs.build, side=side, maps=128, joined=joined, gated=gated),
        side=side,
        stages=(Stage("all layers", epochs=4, learning_rate=2e-4),),
        lung_gate=mobilenetv2_lungs.GATE if gated else "",
        exchanged_surroundings=0.0,
        ema_momentum=0.98,
        held_out_series=True,
    )
    recipe = replace(recipe, **changes)
    return Experiment(recipe, why, {**recipe.hyperparameters(), "joined": joined, "gated": gated}, repeats)


_PLAIN = {"joined": False, "gated": False}

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
        _experiment("exchange-most", "More of the lungs in other surroundings.", exchanged_surroundings=0.9),
        _experiment("mixup", "And films mixed in pairs.", exchanged_surroundings=0.5, mixup=0.2),
        _experiment("sure", "And labels as they are, not smoothed.", exchanged_surroundings=0.5, label_smoothing=0.0),
        _experiment(
            "longer",
            "And twice as many epochs.",
            exchanged_surroundings=0.5,
            stages=(Stage("all layers", epochs=8, learning_rate=2e-4),),
        ),
        _experiment("larger", "And 160 pixels in place of 128.", exchanged_surroundings=0.5, side=160),
        _experiment(
            "faster",
            "And twice the learning rate.",
            exchanged_surroundings=0.5,
            stages=(Stage("all layers", epochs=4, learning_rate=4e-4),),
        ),
    )
}


def run(names: list[str], runs: Path, weights: str | None) -> pd.DataFrame:
    """Fit and score experiments, add their rows to ROWS in place of earlier ones, and return all rows.

    runs: folder of the runs. weights: as fit()'s. Raises RecipeError for an unknown name, and as fit().
    """
    if unknown := [name for name in names if name not in EXPERIMENTS]:
        raise RecipeError(f"Expected experiments of {', '.join(EXPERIMENTS)}. Received: {unknown[0]!r}.")
    rows = read_rows()
    for name in names:
        experiment = EXPERIMENTS[name]
        for repeat in range(experiment.repeats):
            recipe = replace(experiment.recipe, repeat=repeat)
            folder = runs / f"{name}-{repeat}"
            fit(recipe, folder, weights, keep_checkpoints=True)
            rows = rows[(rows["experiment"] != name) | (rows["repeat"] != repeat)]
            rows = pd.concat([rows, _scored(recipe, folder)], ignore_index=True)
            rows.round(5).to_csv(ROWS, index=False)
    return rows


def missing() -> list[str]:
    """The experiments with fewer repeats in ROWS than they are to have."""
    done = read_rows().drop_duplicates(["experiment", "repeat"])["experiment"].value_counts()
    return [name for name, experiment in EXPERIMENTS.items() if done.get(name, 0) < experiment.repeats]


def read_rows() -> pd.DataFrame:
    return pd.read_csv(ROWS) if ROWS.exists() else pd.DataFrame(columns=list(ROW))


def write_experiments(exports: dict[str, Export], path: Path = PAGE) -> str:
    """Write docs/experiments.md from ROWS and the cards of the network that came of it, and return its text."""
    rows = read_rows()
    finals = rows.sort_values("epoch").groupby(["experiment", "repeat"]).last().reset_index()
    page = _PAGE.format(
        images=[int(rows[part].iloc[-1]) for part in PARTS],
        stresses=len(STRESSES),
        side=mobilenetv2_lungs.recipe().side,
        kinds=", ".join(STRESSES),
        tried=_tried_table(finals),
        weights=len(rows),
        runs=len(finals),
        criteria=_criteria_table(rows),
        kept=mobilenetv2_lungs.ID,
        finished=models_table({i: e for i, e in exports.items() if i.partition("-repeat-")[0] == mobilenetv2_lungs.ID}),
    )
    path.write_text(page, encoding="utf-8")
    return page


def _tried_table(finals: pd.DataFrame) -> str:
    shown = ("plain AUROC", "stress AUROC", "stress likelihood", "agreement", *UNSEEN)
    lines = []
    for name, experiment in EXPERIMENTS.items():
        own = finals[finals["experiment"] == name]
        if len(own):
            figures = [_spread(own[column]) for column in shown]
            minutes = f"{own['seconds'].mean() / 60:.0f}"
            lines.append([f"`{name}`", experiment.why, *figures, str(len(own)), minutes, _kept(experiment)])
    return table(["experiment", "why", *shown, "runs", "minutes", "kept"], lines)


def _spread(values: pd.Series) -> str:
    if len(values) == 1:
        return f"{values.iloc[0]:.3f}"
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def _kept(experiment: Experiment) -> str:
    """An experiment is kept when everything that sets it apart from the first one is in mobilenetv2-lungs."""
    first, *_ = EXPERIMENTS.values()
    if experiment is first:
        return "the start"
    final = {**mobilenetv2_lungs.recipe().hyperparameters(), "joined": True, "gated": True}
    apart = [name for name, value in experiment.settings.items() if value != first.settings[name]]
    return "yes" if all(experiment.settings[name] == final[name] for name in apart) else "no"


def _criteria_table(rows: pd.DataFrame) -> str:
    lines = []
    for name, meaning in CRITERIA.items():
        agreeing = [spearmanr(rows[name], rows[f"unseen {figure}"]).statistic for figure in ("AUROC", "accuracy")]
        lines.append([name, meaning, *(f"{value:+.2f}" for value in agreeing)])
    return table(["validation figure", "what it is", "with unseen AUROC", "with unseen accuracy"], lines)


def _scored(recipe: Recipe, folder: Path) -> pd.DataFrame:
    """The rows of one run."""
    seconds = pd.read_csv(folder / "history.csv")["seconds"].cumsum()
    collection = open_collection(recipe.collection)
    training, validation = development_parts(recipe, collection)
    plain = load_images(collection, validation, recipe.side, recipe.channels)
    masked = lung_lesson.with_masks(recipe, plain).images
    stressed = {name: stress(masked[..., :-1], masked[..., -1:]) for name, stress in STRESSES.items()}
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
    _, unseen = unseen_series(development_entries(open_collection(recipe.collection)))
    rng = np.random.default_rng(recipe.seed)
    classes = [[entry for entry in unseen if entry.label == label] for label in (0, 1)]
    return [own[i] for own in classes for i in sorted(rng.permutation(len(own))[:UNSEEN_IMAGES])]


def _measured(
    network: keras.Model, recipe: Recipe, plain: ImageSet, stressed: dict[str, np.ndarray], unseen: ImageSet
) -> dict[str, float]:
    def logits(images: np.ndarray) -> np.ndarray:
        return network.predict(images, batch_size=64, verbose=0)[:, 0].astype(np.float64)

    own, labels = logits(plain.images), plain.labels.astype(int)
    temperature, offset = fit_calibration(own, labels)

    def probabilities(values: np.ndarray) -> np.ndarray:
        return expit((values + offset) / temperature)

    under = {name: probabilities(logits(images)) for name, images in stressed.items()}
    p, q = probabilities(own), probabilities(logits(unseen.images))
    called = q >= at_sensitivity(p, labels, recipe.target_sensitivity)
    return {
        "plain AUROC": roc_auc_score(labels, p),
        "plain likelihood": -log_loss(labels, p),
        "stress AUROC": np.mean([roc_auc_score(labels, s) for s in under.values()]),
        "stress likelihood": -np.mean([log_loss(labels, s) for s in under.values()]),
        "lungs alone AUROC": roc_auc_score(labels, under["lungs alone"]),
        "agreement": -np.mean([np.abs(s - p).mean() for s in under.values()]),
        "unseen AUROC": roc_auc_score(unseen.labels, q),
        "unseen accuracy": np.mean(called == (unseen.labels == 1)),
        "unseen ECE": expected_calibration_error(pd.DataFrame({"probability": q, "label": unseen.labels})),
    }

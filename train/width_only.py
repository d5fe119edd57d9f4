"""width-only: how far one gets without looking. A logistic regression on the logarithm of an image's width.

    python -m train baseline && python -m train evaluate width-only

The films were cut before they were published, those of the two classes differently, so that their size alone separates
them. A network that is hardly better than this may have learnt nothing of lungs.

Patients are split as by the recipe SPLIT_AS, so that both have rows for the same validation images. Calibration and
operating point come from them, as every model's do. An image of unknown width takes no part in the fit or the
calibration, and gets the share of pneumonia among the training images.
"""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from model_zoo import evaluation
from model_zoo.card import Card, Training, write_card
from model_zoo.files import replacing_folder
from model_zoo.predictions import read_predictions, write_predictions
from model_zoo.registry import Export
from train.calibrate import fit_calibration
from train.data import development_parts
from train.export import data_of, operating_point, prediction_rows
from train.image_size import log_widths, probabilities
from train.recipe import load_recipe

ID, SPLIT_AS = "width-only", "cnn11"


def export_width_only(root: Path) -> Export:
    """Fit, and write root/width-only, replacing an earlier one only once the new one is complete. Raises as
    image_size.log_widths()."""
    started = time.perf_counter()
    recipe = load_recipe(SPLIT_AS)
    collection = open_collection(recipe.collection)
    training, validation = development_parts(recipe, collection)
    formula, temperature = _fit(collection, training, validation)
    rows = prediction_rows(validation, probabilities(formula, temperature, log_widths(collection, validation)))

    name = f"{recipe.collection}-validation"
    with replacing_folder(root / ID) as folder:
        write_predictions(rows, folder / "predictions" / f"{name}.csv")
        rows = read_predictions(folder / "predictions" / f"{name}.csv")
        threshold = operating_point(rows, recipe.target_sensitivity, name)
        card = Card(
            id=ID,
            title="Image width alone",
            summary="No network: it is told how wide the file of a film is, and sees no pixel of it. What it gets "
            "right can be had without looking at a lung.",
            architecture="logistic regression on the logarithm of the width",
            side=None,
            channels=None,
            heatmap=None,
            temperature=temperature,
            threshold=threshold,
            weights=None,
            data=data_of(recipe, {"training": training, "validation": validation, "test": collection.entries("test")}),
            recipe={
                "split_as": SPLIT_AS,
                "validation_share": recipe.validation_share,
                "seed": recipe.seed,
                "target_sensitivity": recipe.target_sensitivity,
                **formula,
            },
            training=Training(
                device=f"{os.cpu_count()} CPU cores ({platform.machine()})",
                seconds=round(time.perf_counter() - started, 1),
                epochs=0,
                versions={"python": platform.python_version(), "scikit-learn": sklearn.__version__},
            ),
            limits=(
                "Sees no pixel: it cannot be asked about an X-ray, and there is no place in one that it looked at.",
                "Knows how the files of this collection were cut, and nothing else.",
                *_unknown_widths(formula),
            ),
            metrics={name: evaluation.summarise(rows, threshold.value)},
        )
        write_card(card, folder / "card.json")
    return Export(root / ID, card)


def _fit(collection: Collection, training: Sequence[Entry], validation: Sequence[Entry]) -> tuple[dict, float]:
    """(formula as image_size describes it, temperature). The formula also holds "without_width": how many images took
    no part."""
    (widths, labels, unknown), (new_widths, new_labels, new_unknown) = (
        _known(collection, part) for part in (training, validation)
    )
    model = LogisticRegression(C=np.inf).fit(widths, labels)
    temperature, offset = fit_calibration(model.decision_function(new_widths), new_labels)
    return {
        "coefficients": {
            "intercept": round(float(model.intercept_[0] + offset), 6),
            "log width": round(float(model.coef_[0, 0]), 6),
        },
        "unknown_width": round(float(np.mean([entry.label for entry in training])), 6),
        "without_width": {"training": unknown, "validation": new_unknown},
    }, round(temperature, 4)


def _unknown_widths(formula: dict) -> tuple[str, ...]:
    """What a reader of the rows must know of images without a width; nothing when there are none."""
    training, validation = formula["without_width"].values()
    if not training + validation:
        return ()
    return (
        f"The width of {training:,} training images and {validation:,} validation images is not known: they took no "
        f"part in the fit, and in the rows they have the probability {formula['unknown_width']:.3f}, the share of "
        "pneumonia among the training images.",
    )


def _known(collection: Collection, entries: Sequence[Entry]) -> tuple[np.ndarray, np.ndarray, int]:
    """(log_widths of the images whose width is known, (n, 1), their labels, how many others there are)."""
    widths = log_widths(collection, entries)
    known = ~np.isnan(widths)
    return widths[known, np.newaxis], np.array([entry.label for entry in entries])[known], int((~known).sum())

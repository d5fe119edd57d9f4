"""The size at which films were published, and the probability that a formula takes from the width.

A baseline's card has a formula in its recipe and no weights: "coefficients", with "intercept" and "log width", and
"unknown_width", the probability of an image whose width is not known. For the others
probability = sigmoid((intercept + log width's coefficient x log width) / temperature).
"""

from collections.abc import Sequence

import numpy as np

from cases.collections.base import Collection, Entry
from cases.collections.chest_xray import MANIFEST, MANIFEST_COLUMNS, ChestXrayCollection
from model_zoo.calibration import calibrated
from train.recipe import RecipeError


def native_sizes(collection: Collection, entries: Sequence[Entry]) -> np.ndarray:
    """(width, height) in pixels at which films were published: float64 (n, 2), nan where it is not known.

    Raises RecipeError for a collection that does not tell sizes and for a copy whose images all have one width, which
    says nothing of the originals; CollectionUnavailable and RadiographError as ChestXrayCollection.native_size().
    """
    if not isinstance(collection, ChestXrayCollection):
        raise RecipeError(f"Expected {ChestXrayCollection.id}, whose films differ in size. Received: {collection.id}.")
    sizes = [collection.native_size(entry.id) for entry in entries]
    found = {size[0] for size in sizes if size}
    if len(found) < 2:
        received = f"a width of {found.pop()} for each of them" if found else "no width that is known"
        raise RecipeError(
            f"Expected films of the sizes at which they were published. Received: {len(sizes):,} images, {received}. "
            "A copy at one size says nothing of them: use Kaggle's files (`python -m train download`), or put "
            f"{MANIFEST} with the columns {', '.join(MANIFEST_COLUMNS)} beside the splits."
        )
    return np.array([size or (np.nan, np.nan) for size in sizes], np.float64)


def log_widths(collection: Collection, entries: Sequence[Entry]) -> np.ndarray:
    """Natural logarithms of widths in pixels: float64 (n,), nan where the width is not known. Raises as
    native_sizes()."""
    return np.log(native_sizes(collection, entries)[:, 0])


def probabilities(formula: dict, temperature: float, widths: np.ndarray) -> np.ndarray:
    """Of pneumonia, 0..1, (n,). formula: a baseline's recipe on its card. widths: log_widths()."""
    coefficients = formula["coefficients"]
    logits = coefficients["intercept"] + coefficients["log width"] * widths
    return np.where(np.isnan(logits), formula["unknown_width"], calibrated(logits, temperature))

"""The width and height at which films were published, and the probability that a formula takes from them.

A baseline's card has a formula in its recipe and no weights: "coefficients", with "intercept" and one for each of SIZES
that is used, and "unknown_size", the probability of an image whose size is not known. For the others
probability = sigmoid((intercept + sum of coefficients x SIZES) / temperature).
"""

from collections.abc import Sequence

import numpy as np

from cases.collections.base import Collection, Entry
from cases.collections.chest_xray import MANIFEST, MANIFEST_COLUMNS, ChestXrayCollection
from model_zoo.engine import calibrated
from train.recipe import RecipeError

SIZES = ("log width", "log height")


def log_sizes(collection: Collection, entries: Sequence[Entry]) -> np.ndarray:
    """SIZES of images, natural logarithms of pixels: float64 (n, 2), nan where the size is not known.

    Raises RecipeError for a collection that does not tell sizes and for a copy whose images all have one size, which
    says nothing of the originals; CollectionUnavailable and RadiographError as ChestXrayCollection.native_size().
    """
    if not isinstance(collection, ChestXrayCollection):
        raise RecipeError(f"Expected {ChestXrayCollection.id}, whose films differ in size. Received: {collection.id}.")
    sizes = [collection.native_size(entry.id) for entry in entries]
    found = {size for size in sizes if size}
    if len(found) < 2:
        received = "{} × {} for each of them".format(*found.pop()) if found else "no size that is known"
        raise RecipeError(
            f"Expected films of the sizes at which they were published. Received: {len(sizes):,} images, {received}. "
            "A copy at one size says nothing of them: use Kaggle's files (`python -m train download`), or put "
            f"{MANIFEST} with the columns {', '.join(MANIFEST_COLUMNS)} beside the splits."
        )
    return np.log(np.array([size or (np.nan, np.nan) for size in sizes], np.float64))


def probabilities(formula: dict, temperature: float, sizes: np.ndarray) -> np.ndarray:
    """Of pneumonia, 0..1, (n,). formula: a baseline's recipe on its card. sizes: log_sizes()."""
    coefficients = formula["coefficients"]
    used = [name for name in SIZES if name in coefficients]
    columns = sizes[:, [SIZES.index(name) for name in used]]
    logits = coefficients["intercept"] + columns @ [coefficients[name] for name in used]
    return np.where(np.isnan(logits), formula["unknown_size"], calibrated(logits, temperature))

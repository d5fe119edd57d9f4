"""What the network saw: phantoms under a recipe's augmentation, as augmented.jpg in its export folder.

Each row is one phantom: first as it is, then DRAWS times changed at random. The changes are made at the network's input
size and shown at LARGEST pixels a side or less, to keep the file small. Phantoms and never films, so that the picture
can be in the repository. A recipe without augmentation has no such file.
"""

from pathlib import Path

import cv2
import keras
import numpy as np

from cases.collections import open_collection
from cases.preprocess import model_input
from model_zoo.files import replacing
from train.augment import augmenter
from train.recipe import Augmentation, Recipe

FILE = "augmented.jpg"
DRAWS, LARGEST, QUALITY = 6, 128, 80
_FINDINGS = ("none", "lobar")


def write_samples(recipe: Recipe, folder: Path) -> Path | None:
    """Write folder/augmented.jpg; None, and an earlier one is gone, when the recipe changes nothing."""
    path = folder / FILE
    if recipe.augmentation == Augmentation():
        path.unlink(missing_ok=True)
        return None
    grid = cv2.cvtColor(sample_grid(recipe), cv2.COLOR_RGB2BGR)
    with replacing(path, "wb") as file:
        file.write(cv2.imencode(".jpg", grid, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
    return path


def sample_grid(recipe: Recipe) -> np.ndarray:
    """uint8 RGB (rows * side, (1 + DRAWS) * side, 3), one row per phantom; side: of the recipe, at most LARGEST."""
    phantoms = open_collection("phantom")
    entries = phantoms.entries("train")
    augment = augmenter(recipe.augmentation, recipe.seed)
    rows = []
    for finding in _FINDINGS:
        entry = next(entry for entry in entries if entry.id.endswith(finding))
        image = model_input(phantoms.load(entry.id).pixels, recipe.side, recipe.channels).astype(np.float32)
        drawn = keras.ops.convert_to_numpy(augment(np.stack([image] * DRAWS), training=True))
        rows.append(np.concatenate([_cell(picture) for picture in (image, *drawn)], axis=1))
    return np.concatenate(rows)


def _cell(picture: np.ndarray) -> np.ndarray:
    """float32 (side, side, channels), 0..255, as uint8 RGB of at most LARGEST pixels a side."""
    side = min(len(picture), LARGEST)
    shown = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).reshape(side, side, -1)
    return np.broadcast_to(np.clip(np.round(shown), 0, 255).astype(np.uint8), (side, side, 3))

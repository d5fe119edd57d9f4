"""A recipe small enough to train in a test, on a collection made of bright blobs.

Run as a script, `python tests/tiny_training.py RUN_FOLDER`, it fits the recipe there: a process to be killed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from keras import layers

from cases.collections import COLLECTIONS
from cases.collections.base import Entry
from cases.radiograph import Radiograph
from train.recipe import Augmentation, Recipe, Stage

_BY_ID = {
    f"{part}/{i}": Entry(f"{part}/{i}", i // 2 % 2, "square" if i // 2 % 2 else None, f"{part}/p{i // 2}", part)
    for part, count in {"train": 80, "val": 4, "test": 20}.items()
    for i in range(count)
}


class Blobs:
    """Noise, with a bright square in the pneumonias. Two images a patient."""

    id = "blobs"
    title = "Blobs"
    licence = "made by a test"
    synthetic = True

    def entries(self, split=None):
        return tuple(entry for entry in _BY_ID.values() if split in (None, entry.split))

    def load(self, image_id):
        entry = _BY_ID[image_id]
        rng = np.random.default_rng(abs(hash((len(entry.split), int(image_id.split("/")[1])))))
        pixels = rng.integers(0, 120, (40, 40), dtype=np.uint8)
        if entry.label:
            pixels[10:25, 12:27] += 90
        return Radiograph(pixels, image_id, synthetic=True)


def build(side: int | None = 16) -> keras.Model:
    inputs = keras.Input((side, side, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.8)(x)
    x = layers.Activation("relu", name="last_conv")(x)
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(1)(x))


RECIPE = Recipe(
    id="tiny",
    title="Tiny",
    summary="For tests.",
    architecture="one convolution",
    build=build,
    side=16,
    channels=1,
    heatmap_layer="last_conv",
    stages=(Stage("first", epochs=2, learning_rate=0.02), Stage("second", epochs=3, learning_rate=0.01)),
    reference=None,
    limits=("Knows blobs only.",),
    collection="blobs",
    validation_share=0.25,
    batch_size=4,
    balanced=True,
    augmentation=Augmentation(horizontal_flip=True, rotation=5, noise=0.02),
    weight_decay=1e-3,
    ema_momentum=0.8,
    seed=3,
)

if __name__ == "__main__":
    from train.fit import fit

    COLLECTIONS["blobs"] = Blobs
    fit(RECIPE, Path(sys.argv[1]))

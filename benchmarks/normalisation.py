"""What one operation for batch normalisation saves (train/normalisation.py): a training step of a network with it and
with Keras's own, in the precision that suits the network on a CPU with AMX."""

import keras
import numpy as np

from benchmarks.timing import medians
from train.normalisation import fused
from train.recipe import load_recipe

RECIPES = {"mobilenetv2": "float32", "resnet34": "mixed_bfloat16", "resnet50-films": "mixed_bfloat16"}
IMAGES, ROUNDS = 32, 3


def run() -> None:
    print(f"A training step of {IMAGES} images, medians in s")
    print(f"{'network':18}{'precision':16}{'Keras':>8}{'fused':>8}{'ratio':>8}")
    for name, precision in RECIPES.items():
        seconds = _seconds(name, precision)
        ratio = seconds["Keras"] / seconds["fused"]
        print(f"{name:18}{precision:16}{seconds['Keras']:8.2f}{seconds['fused']:8.2f}{ratio:8.2f}")


def _seconds(name: str, precision: str) -> dict[str, float]:
    recipe = load_recipe(name)
    keras.config.set_dtype_policy(precision)
    try:
        plain = recipe.build()
        networks = {"Keras": plain, "fused": fused(plain)}
    finally:
        keras.config.set_dtype_policy("float32")
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (IMAGES, recipe.side, recipe.side, recipe.channels)).astype(np.float32)
    labels = rng.integers(0, 2, (IMAGES, 1)).astype(np.float32)
    for network in networks.values():
        # As in train/fit.py.
        network.compile("adamw", keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    return medians(
        {which: lambda network=network: network.train_on_batch(images, labels) for which, network in networks.items()},
        ROUNDS,
    )

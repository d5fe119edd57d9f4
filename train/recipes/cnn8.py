"""cnn8: the smallest network, 8 weight layers, plain images, classes as they come.

    python -m train fit cnn8 && python -m train export cnn8 && python -m train evaluate cnn8

Follows the first network of a published PyTorch walk-through on the Kermany set (8 convolution and dense layers with
ReLU, no balancing), which reports a test accuracy of 0.76, with 85 of the 234 normals right.
Expected here: see model_zoo/exports/cnn8/card.json, which holds the measured figures.
"""

import dataclasses
from functools import partial

from model_zoo.card import Reference
from train.networks import cnn8
from train.recipe import KERMANY_LIMITS, Recipe, Stage


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="cnn8",
        title="CNN, 8 layers",
        summary="The plainest network: no augmentation, no balancing. What a first tutorial builds.",
        architecture="6 convolutions and 2 dense layers with ReLU",
        build=partial(cnn8, side=128, width=16),
        side=128,
        channels=1,
        heatmap_layer="last_conv",
        stages=(Stage("from scratch", epochs=10, learning_rate=1e-3),),
        reference=Reference(
            title="PyTorch article on the Kermany set, network of 8 convolution and dense layers",
            claims={"accuracy": 0.76},
            protocol="official test split of 624 images",
        ),
        limits=(*KERMANY_LIMITS, "Trained without augmentation: a film exposed or cut otherwise may mislead it."),
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(cnn8, side=64, width=8),
        side=64,
        collection="phantom",
        stages=(Stage("quick", epochs=4, learning_rate=2e-3),),
    )

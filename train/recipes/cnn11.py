"""cnn11: a small convolutional network of 11 weight layers, trained from scratch.

    python -m train fit cnn11 && python -m train export cnn11 && python -m train evaluate cnn11

Follows the third network of a published PyTorch walk-through on the Kermany set (11 convolution and dense layers,
flips, skew, rotation, dropout, batch normalisation, class-balanced batches), which reports a test accuracy of 0.82.
Expected here: see model_zoo/exports/cnn11/card.json, which holds the measured figures.
"""

import dataclasses
from functools import partial

from model_zoo.card import Reference
from train.networks import cnn11
from train.recipe import KERMANY_LIMITS, Augmentation, Recipe, Stage


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="cnn11",
        title="CNN, 11 layers",
        summary="A small network trained from scratch on gray 128 px films. Quick to run, and a fair first opponent.",
        architecture="10 convolutions and 1 dense layer, batch normalisation, three residual pairs, dropout",
        build=partial(cnn11, side=128, width=16, dropout=0.2),
        side=128,
        channels=1,
        heatmap_layer="last_conv",
        stages=(Stage("from scratch", epochs=20, learning_rate=2e-3),),
        reference=Reference(
            title="PyTorch article on the Kermany set, network of 11 convolution and dense layers",
            claims={"accuracy": 0.82},
            protocol="official test split of 624 images",
        ),
        limits=(
            *KERMANY_LIMITS,
            "Sees 128 by 128 pixels: fine lines and small nodules are gone before the model looks.",
        ),
        batch_size=32,
        balanced=True,
        augmentation=Augmentation(
            horizontal_flip=True,
            rotation=10,
            shear=6,
            translation=0.08,
            zoom=(0.85, 1.25),
            gamma=0.5,
            contrast=(0.6, 1.4),
            brightness=0.12,
            noise=0.015,
        ),
        weight_decay=1e-3,
        label_smoothing=0.05,
        ema_momentum=0.995,
        departs="Films are shifted, zoomed, exposed otherwise and given noise too, labels are smoothed, and weights "
        "are averaged over steps.",
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(cnn11, side=64, width=8, dropout=0.1),
        side=64,
        collection="phantom",
        stages=(Stage("quick", epochs=4, learning_rate=3e-3),),
        ema_momentum=0.9,
    )

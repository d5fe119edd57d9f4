"""vgg16-taught: vgg16-weighted, all layers of it taught on by the committee of champion and itself.

    python -m train fit vgg16-weighted --weights vgg16-all-films
    python -m train fit vgg16-taught --weights vgg16-weighted

What champion-taught is to champion-averaged: the whole network goes on, head included, on films that have no noise
added, and learns what the committee that it is a member of answers.
"""

import dataclasses

from train.recipe import KERMANY_LIMITS, QUIET_AUGMENTATION, Recipe, Stage
from train.recipes import vgg16_weighted


def recipe(quick: bool = False) -> Recipe:
    named = dataclasses.replace(
        vgg16_weighted.recipe(quick),
        id="vgg16-taught",
        title="VGG16, taught by the committee",
        summary="vgg16-weighted, which has learnt the answers of the committee that it was a member of.",
        architecture="VGG16's 13 convolutions, flattened to a dense layer of 64, batch normalisation, dropout, "
        "one logit",
        augmentation=QUIET_AUGMENTATION,
        noise_for_teachers=True,
        ema_momentum=0.99,
        reference=None,
        limits=KERMANY_LIMITS,
    )
    if quick:
        return named
    return dataclasses.replace(
        named,
        stages=(Stage("all layers", epochs=2, learning_rate=3e-5),),
        starting_weights="network",
        teachers=("champion", "vgg16-weighted"),
        weight_decay=1e-3,
    )

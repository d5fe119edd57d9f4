"""vgg16-onward: vgg16-weighted, all layers of it taught on with films without added noise; the mean of two such runs.

    python -m train fit vgg16-weighted --weights vgg16-all-films
    python -m train fit vgg16-onward --weights vgg16-weighted --precision mixed_bfloat16

What champion-averaged is to champion-noisy: the whole network goes on, head included, on the labels alone, and the runs
stay near enough to one another to be averaged.
No export comes with a clone: it was no better a partner for champion than vgg16-weighted is (docs/experiments.md).
"""

import dataclasses

from train.recipe import KERMANY_LIMITS, QUIET_AUGMENTATION, Recipe, Stage
from train.recipes import vgg16_weighted


def recipe(quick: bool = False) -> Recipe:
    named = dataclasses.replace(
        vgg16_weighted.recipe(quick),
        id="vgg16-onward",
        title="VGG16, taught on whole",
        summary="vgg16-weighted, all layers taught on with films as clean as those that it is given.",
        architecture="VGG16's 13 convolutions, flattened to a dense layer of 64, batch normalisation, dropout, "
        "one logit",
        augmentation=QUIET_AUGMENTATION,
        ema_momentum=0.99,
        teachers=(),
        sides=(),
        reference=None,
        limits=KERMANY_LIMITS,
    )
    if quick:
        return named
    return dataclasses.replace(
        named,
        stages=(Stage("all layers", epochs=2, learning_rate=3e-5),),
        starting_weights="network",
        goes_on_from="vgg16-weighted",
        averaged_runs=2,
        weight_decay=1e-3,
    )

"""vgg16-films: a VGG16 that learns from films alone, so that the vgg16 recipes have a backbone where ImageNet's weights
cannot be had.

    python -m train fit vgg16-films [--precision mixed_bfloat16]
    python -m train fit vgg16-frozen --weights vgg16-films

Plain VGG16 learns next to nothing from random weights: after two epochs it still said pneumonia for everything. So this
one has batch normalisation, which is folded away when another recipe starts from it, and mobilenetv2 teaches it. It
follows no published work and is a step on the way: it is not exported.
"""

import dataclasses
from functools import partial

from train.networks import vgg16_normalised
from train.recipe import HARD_AUGMENTATION, KERMANY_LIMITS, Recipe, Stage


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="vgg16-films",
        title="VGG16, learnt from films",
        summary="The backbone of the vgg16 models.",
        architecture="VGG16's 13 convolutions, batch-normalised, average pooling, dropout, one logit",
        build=partial(vgg16_normalised, side=112, dropout=0.3),
        side=112,
        channels=3,
        heatmap_layer="last_conv",
        stages=(Stage("all layers", epochs=9, learning_rate=1e-3),),
        reference=None,
        limits=KERMANY_LIMITS,
        random_test_share=0.25,
        balanced=True,
        teachers=("mobilenetv2",),
        augmentation=HARD_AUGMENTATION,
        weight_decay=1e-3,
        ema_momentum=0.99,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(vgg16_normalised, side=32, dropout=0.3, divisor=8),
        side=32,
        collection="phantom",
        stages=(Stage("quick", epochs=3, learning_rate=2e-3),),
        random_test_share=0.0,
        teachers=(),
        ema_momentum=0.9,
    )

"""vgg16-all-films: vgg16-films with the quarter of the films that vgg16-75-25 keeps apart, for the vgg16 recipes that
have no such protocol, and longer: ten epochs learn the teacher's answers, and those after them its feature maps too.

    python -m train fit vgg16-all-films [--precision mixed_bfloat16]
    python -m train fit vgg16-weighted --weights vgg16-all-films

A step on the way: it is not exported.
"""

import dataclasses
from functools import partial

from train.networks import vgg16_normalised
from train.recipe import Recipe, Stage
from train.recipes import vgg16_films

HINTS = (("block3_pool", "block_5_add"), ("block4_pool", "block_12_add"), ("block5_pool", "out_relu"))


def recipe(quick: bool = False) -> Recipe:
    smaller = vgg16_films.recipe(quick)
    named = dataclasses.replace(smaller, id="vgg16-all-films", title="VGG16, learnt from all films")
    if quick:
        return named
    return dataclasses.replace(
        named,
        build=partial(vgg16_normalised, side=128, dropout=0.3),
        side=128,
        stages=(
            Stage("all layers", epochs=10, learning_rate=1e-3),
            Stage("features", epochs=13, learning_rate=1e-3, hints=HINTS),
        ),
        random_test_share=0.0,
        teachers=("mobilenetv2-all",),
    )

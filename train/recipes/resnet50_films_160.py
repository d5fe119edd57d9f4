"""resnet50-films-160: resnet50-films once more at 160 pixels, the size at which its teacher looks, so that each of the
maps that it learns has as many cells as the teacher's. Twice ten epochs: the rate comes down to zero in between.

    python -m train fit resnet50-films-160 --weights resnet50-films [--precision mixed_bfloat16]
    python -m train fit resnet50-bn --weights resnet50-films-160

A step on the way: it is not exported.
"""

import dataclasses
from functools import partial

from train.recipe import Recipe, Stage
from train.recipes import resnet50_films


def recipe(quick: bool = False) -> Recipe:
    smaller = resnet50_films.recipe(quick)
    named = dataclasses.replace(smaller, id="resnet50-films-160", title="ResNet50, learnt from films at 160 pixels")
    if quick:
        return named
    return dataclasses.replace(
        named,
        build=partial(resnet50_films.build, side=160),
        side=160,
        stages=(
            Stage("features", epochs=10, learning_rate=5e-4, hints=resnet50_films.HINTS),
            Stage("features again", epochs=10, learning_rate=5e-4, hints=resnet50_films.HINTS),
        ),
        starting_weights="imagenet",
    )

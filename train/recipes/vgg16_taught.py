"""vgg16-taught: vgg16-onward, but with the committee of champion and vgg16-weighted as teachers, and one run.

    python -m train fit vgg16-weighted --weights vgg16-all-films
    python -m train fit vgg16-taught --weights vgg16-weighted --precision mixed_bfloat16

What champion-taught is to champion-averaged: it learns what the committee answers that it is to be a member of.
No export comes with a clone: it was no better a partner for champion than vgg16-weighted is (docs/experiments.md).
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import vgg16_onward


def recipe(quick: bool = False) -> Recipe:
    return dataclasses.replace(
        vgg16_onward.recipe(quick),
        id="vgg16-taught",
        title="VGG16, taught by the committee",
        summary="vgg16-weighted, which has learnt the answers of the committee that it was a member of.",
        teachers=() if quick else ("champion", "vgg16-weighted"),
        noise_for_teachers=True,
        averaged_runs=1,
    )

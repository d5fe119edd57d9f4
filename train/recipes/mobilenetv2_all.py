"""mobilenetv2-all: mobilenetv2 once more, with the quarter of the films that its published protocol keeps apart.

    python -m train fit mobilenetv2-all [--weights FILE] && python -m train export mobilenetv2-all
    python -m train evaluate mobilenetv2-all

It teaches networks that start from random weights (train/teacher.py), which needs the same training images as theirs.
Expected here: see model_zoo/exports/mobilenetv2-all/card.json, which holds the measured figures.
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import mobilenetv2


def recipe(quick: bool = False) -> Recipe:
    return dataclasses.replace(
        mobilenetv2.recipe(quick),
        id="mobilenetv2-all",
        title="MobileNetV2, all films",
        summary="mobilenetv2 with a third more films to learn from. It teaches the networks that start from nothing.",
        reference=None,
        random_test_share=0.0,
    )

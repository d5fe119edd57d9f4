"""champion-retaught: champion-noisy taught on by its own teachers, on films without added noise.

    python -m train fit champion-retaught --weights champion-noisy

As champion-quiet, it is to learn from films as clean as those that it is given, but keeps champion-noisy's two
teachers. They learnt under noise, and are shown films with as much of it.
No export comes with a clone: better than champion-noisy on validation films as they are, it was worse on the test
split (docs/experiments.md).
"""

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    return champion_noisy.variant(
        quick,
        epochs=2,
        teachers=("mobilenetv2-all", "vgg16-weighted"),
        id="champion-retaught",
        title="Champion, taught on",
        summary="champion-noisy, taught on by its teachers with films as clean as those that it is given.",
        augmentation=QUIET_AUGMENTATION,
        noise_for_teachers=True,
    )

"""champion-clean: champion-noisy learnt anew, with no noise added to its films or to those of what it goes on from.

    python -m train fit mobilenetv2-quiet && python -m train export mobilenetv2-quiet
    python -m train fit champion-clean --weights mobilenetv2-quiet

champion-quiet mends champion-noisy's noise after the event; here there was none, but for its second teacher's.
No export comes with a clone: better than champion-noisy on validation films as they are and worse under stress, it was
worse on the test split (docs/experiments.md).
"""

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    return champion_noisy.variant(
        quick,
        epochs=4,
        teachers=("mobilenetv2-quiet", "vgg16-weighted"),
        id="champion-clean",
        title="Champion, never with noise",
        summary="champion-noisy, from a network and on films as clean as those that it is given.",
        augmentation=QUIET_AUGMENTATION,
    )

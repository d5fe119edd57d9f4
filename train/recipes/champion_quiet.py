"""champion-quiet: champion-noisy taught on, on films without added noise.

    python -m train fit champion-quiet --weights champion-noisy

champion-noisy learnt from films that all had noise added, and is given films that have none. Two more epochs without
it, on the labels alone, are to mend that.
No export comes with a clone: better than champion-noisy on validation films, in the mean of three runs it had more
films of the test split right, and ranked them worse (docs/experiments.md).
"""

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    return champion_noisy.variant(
        quick,
        epochs=2,
        id="champion-quiet",
        title="Champion, without noise",
        summary="champion-noisy, taught on with films as clean as those that it is given.",
        augmentation=QUIET_AUGMENTATION,
    )

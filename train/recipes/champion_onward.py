"""champion-onward: champion-quiet, but with the whole of champion to go on from, and not with its backbone alone.

    python -m train fit champion-onward --weights champion

A new head on a trained backbone can spoil features while it learns, for films unlike those learnt from above all
(Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution"). All others that
go on from champion begin with a new head.
No export comes with a clone yet: on the test split it is better than champion in the mean of three runs
(docs/experiments.md).
"""

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import champion


def recipe(quick: bool = False) -> Recipe:
    return champion.variant(
        quick,
        epochs=2,
        starting_weights="network",
        id="champion-onward",
        title="Champion, taught on whole",
        summary="Champion, head and all, taught on with films as clean as those that it is given.",
        augmentation=QUIET_AUGMENTATION,
    )

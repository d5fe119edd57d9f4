"""champion-onward: champion-quiet, but with the whole of champion-noisy to go on from, and not with its backbone alone.

    python -m train fit champion-onward --weights champion-noisy

A new head on a trained backbone can spoil features while it learns, for films unlike those learnt from above all
(Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution"). Those that went
on from champion-noisy before it began with a new head.
No export comes with a clone: champion-averaged is the mean of three such runs (docs/experiments.md).
"""

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    return champion_noisy.variant(
        quick,
        epochs=2,
        starting_weights="network",
        goes_on_from="champion-noisy",
        id="champion-onward",
        title="Champion, taught on whole",
        summary="champion-noisy, head and all, taught on with films as clean as those that it is given.",
        augmentation=QUIET_AUGMENTATION,
    )

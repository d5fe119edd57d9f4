"""champion-taught: champion-averaged, taught on by the committee that it was a member of; it looks at the film at two
sizes.

    python -m train export champion-averaged
    python -m train fit champion-taught --weights champion-averaged

That committee was better than champion-averaged alone on validation films as they are. What it answered can be learnt,
and then costs no second network. Two sizes come in when that is done, as for champion-sizes.
No export comes with a clone: champion is the mean of two such runs (docs/experiments.md).
"""

import dataclasses

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    taught = champion_noisy.variant(
        quick,
        epochs=2,
        learning_rate=1e-4,
        teachers=("champion-averaged", "vgg16-weighted"),
        starting_weights="network",
        goes_on_from="champion-averaged",
        id="champion-taught",
        title="Champion, taught by the committee",
        summary="champion-averaged, which has learnt the answers of the committee that it was a member of.",
        augmentation=QUIET_AUGMENTATION,
        noise_for_teachers=True,
    )
    return dataclasses.replace(taught, sides=(taught.side, taught.side + 32))

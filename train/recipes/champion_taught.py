"""champion-taught: champion, taught on by the committee that it is a member of; it looks at the film at two sizes.

    python -m train fit champion-taught --weights champion

The committee is better than champion alone on validation films as they are. What it answers can be learnt, and then
costs no second network. Two sizes come in when that is done, as for champion-sizes.
No export comes with a clone: in three runs it had one answer less right on the test split than champion had, and ranked
the films better (docs/experiments.md).
"""

import dataclasses

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    taught = champion_noisy.variant(
        quick,
        epochs=2,
        learning_rate=1e-4,
        teachers=("champion", "vgg16-weighted"),
        starting_weights="network",
        id="champion-taught",
        title="Champion, taught by the committee",
        summary="champion, which has learnt the answers of the committee that it is a member of.",
        augmentation=QUIET_AUGMENTATION,
        noise_for_teachers=True,
    )
    return dataclasses.replace(taught, sides=(taught.side, taught.side + 32))

"""champion-taught: champion, taught on by the committee that it is a member of; it looks at the film at two sizes.

    python -m train fit champion-taught --weights champion

The committee's other member knows something that champion does not: together they are better on validation films than
champion alone. What they answer can be learnt, and then costs no second network. Both need to have been exported.
Two sizes come in when that is done, as for champion-sizes.
No export comes with a clone: see docs/experiments.md.
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

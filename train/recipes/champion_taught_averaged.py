"""champion-taught-averaged: the mean of the weights of two runs of champion-taught.

    python -m train fit champion-taught-averaged --weights champion

No export comes with a clone: it is not finished (docs/experiments.md).
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import champion_taught


def recipe(quick: bool = False) -> Recipe:
    return dataclasses.replace(
        champion_taught.recipe(quick),
        averaged_runs=1 if quick else 2,
        id="champion-taught-averaged",
        title="Champion, taught by the committee, averaged",
        summary="The mean of two networks that went on from champion and learnt the answers of its committee.",
    )

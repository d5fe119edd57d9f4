"""champion-sizes: champion-averaged, which looks at the film at two sizes and answers with the mean of what it sees.

    python -m train fit champion-sizes --weights champion-noisy

Trained as champion-averaged is, at 192 pixels; 224, at which our copy stores the films, come in when that is done.
No export comes with a clone: in the mean of three runs it had more films of the test split right than
champion-averaged, and ranked them worse (docs/experiments.md).
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import champion_averaged


def recipe(quick: bool = False) -> Recipe:
    averaged = champion_averaged.recipe(quick)
    return dataclasses.replace(
        averaged,
        sides=(averaged.side, averaged.side + 32),
        id="champion-sizes",
        title="Champion, at two sizes",
        summary="champion-averaged, looking at the film at two sizes and answering with the mean of what it sees.",
    )

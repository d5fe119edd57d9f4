"""even-sizes: champion-noisy before it had teachers, learnt from batches in which the height of a film does not tell
its class.

    python -m train fit even-sizes [--weights FILE] && python -m train export even-sizes
    python -m train evaluate even-sizes

The films of the two classes were cut differently before they were published, and squeezed into a square they show it.
Here both classes are drawn equally often from each range of heights. What else goes with size, such as the aspect
ratio, may still tell something. docs/experiments.md says what it is worth.
Expected here: see model_zoo/exports/even-sizes/card.json, which holds the measured figures.
"""

from train.recipe import MODERATE_AUGMENTATION, Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    return champion_noisy.variant(
        quick,
        epochs=10,
        even_heights=True,
        id="even-sizes",
        title="Champion, even sizes",
        summary="A gate as champion's, learnt from batches in which the size of a film does not tell its class.",
        augmentation=MODERATE_AUGMENTATION,
        label_smoothing=0.05,
    )

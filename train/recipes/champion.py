"""champion: mobilenetv2-lungs, to which the size of a film says nothing.

    python -m train fit champion [--weights FILE] && python -m train export champion
    python -m train evaluate champion

The films of the two classes were cut differently before they were published, and squeezed into a square they show it.
Here both classes are drawn equally often from each range of heights. docs/experiments.md says what that is worth.
Expected here: see model_zoo/exports/champion/card.json, which holds the measured figures.
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import mobilenetv2_lungs


def recipe(quick: bool = False) -> Recipe:
    return dataclasses.replace(
        mobilenetv2_lungs.recipe(quick),
        id="champion",
        title="Champion: MobileNetV2 with a lung gate and even sizes",
        summary="Looks at the lungs, and learnt from batches in which the size of a film does not tell its class.",
        # Phantoms have one size.
        even_heights=not quick,
    )

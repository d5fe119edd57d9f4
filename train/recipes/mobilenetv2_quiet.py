"""mobilenetv2-quiet: mobilenetv2-all, on films without added noise, for champion-clean to go on from and learn from.

    python -m train fit mobilenetv2-quiet [--weights FILE] && python -m train export mobilenetv2-quiet

No export comes with a clone.
"""

import dataclasses

from train.recipe import QUIET_AUGMENTATION, Recipe
from train.recipes import mobilenetv2_all


def recipe(quick: bool = False) -> Recipe:
    return dataclasses.replace(
        mobilenetv2_all.recipe(quick),
        id="mobilenetv2-quiet",
        title="MobileNetV2, all films, without noise",
        summary="mobilenetv2-all, taught on films as clean as those that it is given.",
        augmentation=QUIET_AUGMENTATION,
    )

"""champion-resnet: champion-noisy taught on, by itself and a ResNet50 that learnt photographs first.

    python -m train export champion-noisy
    python -m train fit resnet50-all && python -m train export resnet50-all
    python -m train fit champion-resnet --weights champion-noisy

No export comes with a clone: in the mean of three runs it had one more film of the test split right than
champion-noisy, and ranked them worse (docs/experiments.md).
"""

from train.recipe import Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    return champion_noisy.variant(
        quick,
        epochs=3,
        teachers=("champion-noisy", "resnet50-all"),
        id="champion-resnet",
        title="Champion, taught by a ResNet50",
        summary="champion-noisy, taught on by itself and a ResNet50 that learnt everyday photographs first.",
    )

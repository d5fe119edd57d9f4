"""champion-mixed: champion-noisy taught on, by a committee of which it is a member and on films mixed in pairs.

    python -m train export champion-noisy
    python -m train fit champion-mixed --weights champion-noisy

It goes on from champion-noisy, which teaches it with cnn11 and mobilenetv2-all, beside the labels; all see the same
mixtures.
No export comes with a clone: better than champion-noisy on validation films, it was worse on the test split
(docs/experiments.md).
"""

from train.recipe import Recipe
from train.recipes import champion_noisy


def recipe(quick: bool = False) -> Recipe:
    return champion_noisy.variant(
        quick,
        epochs=6,
        teachers=("champion-noisy", "cnn11", "mobilenetv2-all"),
        id="champion-mixed",
        title="Champion, mixed films",
        summary="champion-noisy, taught on by a committee of which it is a member, on films mixed in pairs.",
        mixup=0.2,
    )

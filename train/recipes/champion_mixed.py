"""champion-mixed: champion taught on, by a committee of which it is a member and on films mixed in pairs.

    python -m train fit champion-mixed --weights champion

It goes on from champion, and champion, cnn11 and mobilenetv2-all teach it beside the labels; all see the same mixtures.
No export comes with a clone: better than champion on validation films, it was worse on the test split
(docs/experiments.md).
"""

from train.recipe import Recipe
from train.recipes import champion


def recipe(quick: bool = False) -> Recipe:
    return champion.variant(
        quick,
        epochs=6,
        teachers=("champion", "cnn11", "mobilenetv2-all"),
        id="champion-mixed",
        title="Champion, mixed films",
        summary="Champion, taught on by a committee of which it is a member, on films mixed in pairs.",
        mixup=0.2,
    )

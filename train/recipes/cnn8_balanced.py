"""cnn8-balanced: cnn8 with class-balanced batches and nothing else changed.

    python -m train fit cnn8-balanced && python -m train export cnn8-balanced && python -m train evaluate cnn8-balanced

Follows the second network of the walk-through that cnn8 follows (weighted sampling), which reports a test accuracy of
0.78, with 104 of the 234 normals right.
Expected here: see model_zoo/exports/cnn8-balanced/card.json, which holds the measured figures.
"""

import dataclasses

from train.recipe import Recipe
from train.recipes import cnn8


def recipe(quick: bool = False) -> Recipe:
    plain = cnn8.recipe(quick)
    return dataclasses.replace(
        plain,
        id="cnn8-balanced",
        title="CNN, 8 layers, balanced",
        summary="The plainest network again, seeing normals and pneumonias equally often. What does balancing change?",
        balanced=True,
        reference=dataclasses.replace(
            plain.reference,
            title="PyTorch article on the Kermany set, 8 layers with weighted sampling",
            claims={"accuracy": 0.78},
        ),
    )

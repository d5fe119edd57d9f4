"""A process of several: `python tests/tiny_distributed.py WEIGHTS_FILE fit tiny ...` runs the command line with a tiny
recipe on a few phantoms, then writes the weights that this process ended with."""

import dataclasses
import sys
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from train.__main__ import main
from train.recipe import Stage

networks = []


def load_recipe(model_id: str):
    # Imported late, because it imports Keras, whose backend the command chooses.
    import tiny_training

    def build():
        networks.append(tiny_training.build())
        return networks[-1]

    return dataclasses.replace(
        tiny_training.RECIPE,
        build=build,
        stages=(Stage("head", epochs=1, learning_rate=0.02, trainable="head"), Stage("all", 2, 0.01, steps=6)),
        collection="phantom",
        batch_size=8,
    )


if __name__ == "__main__":
    file, *arguments = sys.argv[1:]
    with (
        patch.dict("cases.collections.phantom.SIZES", {"train": 28, "val": 4, "test": 0}),
        patch("train.recipe.load_recipe", load_recipe),
    ):
        status = main(arguments)
    if status == 0:
        import numpy as np

        np.savez(file, *networks[-1].get_weights())
    sys.exit(status)

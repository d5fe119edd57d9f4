"""What a frozen stage saves by computing the backbone's features once (train/fit.py), for mobilenetv2's head."""

import keras
import numpy as np

from benchmarks.timing import medians
from train.recipe import load_recipe

IMAGES, ROUNDS = 192, 3


def run() -> None:
    recipe = load_recipe("mobilenetv2")
    network = recipe.build()
    layer = network.get_layer(recipe.heatmap_layer)
    backbone, head = keras.Model(network.input, layer.output), keras.Model(layer.output, network.output)
    backbone.trainable = False
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, recipe.side, recipe.side, recipe.channels), dtype=np.uint8)
    labels = rng.integers(0, 2, (IMAGES, 1)).astype(np.float32)
    features = backbone.predict(images, verbose=0)
    for model in (network, head):
        model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    seconds = medians(
        {
            "through the frozen backbone": lambda: network.fit(images, labels, recipe.batch_size, verbose=0),
            "on stored features": lambda: head.fit(features, labels, recipe.batch_size, verbose=0),
            "storing the features, once": lambda: backbone.predict(images, verbose=0),
        },
        ROUNDS,
        warmup=1,
    )
    print(f"An epoch of mobilenetv2's head, {IMAGES} images, medians in s")
    for name, value in seconds.items():
        print(f"{name:30}{value:8.3f}")
    print(f"{'ratio':30}{seconds['through the frozen backbone'] / seconds['on stored features']:8.1f}")

"""vgg16-two-rates: a frozen VGG16 whose head learns at a rate of 1e-3 for five epochs, then at 1e-4 for five more.

    python -m train fit vgg16-two-rates [--weights vgg16-films] && python -m train export vgg16-two-rates
    python -m train evaluate vgg16-two-rates

Follows a second PyTorch article on the set (VGG16, Adam at 1e-3 and then at 1e-4), which reports accuracies of 0.935 on
validation and 0.82 on test. The rates stay where they are within a stage, as they do there.
Expected here: see model_zoo/exports/vgg16-two-rates/card.json, which holds the measured figures.
"""

import dataclasses
from functools import partial

import keras

from model_zoo.card import Reference
from train.networks import imagenet_mean, on_backbone
from train.recipe import KERMANY_LIMITS, Recipe, Stage


def build(side: int, neurons: int, weights: str = "none") -> keras.Model:
    head = [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(neurons, activation="relu"),
        keras.layers.Dropout(0.5),
    ]
    return on_backbone(keras.applications.VGG16, imagenet_mean(), side, head, weights)


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="vgg16-two-rates",
        title="VGG16, two rates",
        summary="A frozen VGG16 under a dense layer that learnt fast first and slowly after.",
        architecture="VGG16's 13 convolutions, frozen, average pooling, a dense layer of 256, dropout, one logit",
        build=partial(build, side=150, neurons=256),
        side=150,
        channels=3,
        heatmap_layer="block5_conv3",
        stages=(
            Stage("1e-3", epochs=5, learning_rate=1e-3, warmup=0.0, decay=False, trainable="head"),
            Stage("1e-4", epochs=5, learning_rate=1e-4, warmup=0.0, decay=False, trainable="head"),
        ),
        reference=Reference(
            title="second PyTorch article on the Kermany set, VGG16 at two learning rates",
            claims={"validation_accuracy": 0.935, "accuracy": 0.82},
            protocol="official test split of 624 images",
        ),
        limits=KERMANY_LIMITS,
        starting_weights="imagenet",
        random_test_share=0.25,
        mantissa_bits=4,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(build, side=32, neurons=8),
        side=32,
        collection="phantom",
        stages=(Stage("quick", epochs=3, learning_rate=2e-3, decay=False, trainable="head"),),
        starting_weights="none",
        random_test_share=0.0,
    )

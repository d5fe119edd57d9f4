"""vgg16-frozen: VGG16 at 150 px with all its convolutions frozen, and two scores on its flattened features.

    python -m train fit vgg16-frozen [--weights vgg16-films] && python -m train export vgg16-frozen
    python -m train evaluate vgg16-frozen

Follows a workshop article (VGG16 from ImageNet at 150 px, Flatten and Dense, about 16,000 trained weights), which
reports a test accuracy of 0.80. The committed one stands on vgg16-films, because ImageNet's VGG16 could not be had.
Expected here: see model_zoo/exports/vgg16-frozen/card.json, which holds the measured figures.
"""

import dataclasses
from functools import partial

import keras

from model_zoo.card import Reference
from train.networks import imagenet_mean, on_backbone
from train.recipe import KERMANY_LIMITS, Recipe, Stage


def build(side: int, weights: str = "none") -> keras.Model:
    # The article's two outputs; the logit weighs one against the other.
    head = [keras.layers.Flatten(), keras.layers.Dense(2, name="scores")]
    return on_backbone(keras.applications.VGG16, imagenet_mean(), side, head, weights)


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="vgg16-frozen",
        title="VGG16, frozen",
        summary="VGG16 that learnt nothing but two sums over its finished features.",
        architecture="VGG16's 13 convolutions, frozen, flattened into two scores, one logit",
        build=partial(build, side=150),
        side=150,
        channels=3,
        heatmap_layer="block5_conv3",
        stages=(Stage("head", epochs=20, learning_rate=1e-4, trainable="head", patience=3),),
        reference=Reference(
            title="workshop article on the Kermany set, frozen VGG16 under Flatten and Dense",
            claims={"accuracy": 0.80},
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
        build=partial(build, side=32),
        side=32,
        collection="phantom",
        stages=(Stage("quick", epochs=3, learning_rate=1e-3, trainable="head"),),
        starting_weights="none",
        random_test_share=0.0,
    )

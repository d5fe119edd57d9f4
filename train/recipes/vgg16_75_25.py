"""vgg16-75-25: a VGG16 under dense layers, reported on a random quarter of the training images.

    python -m train fit vgg16-75-25 [--weights vgg16-films] && python -m train export vgg16-75-25
    python -m train evaluate vgg16-75-25

Follows a conference paper that compares backbones; its VGG16 reached an accuracy of 0.944 and a macro recall of 0.92.
The paper's settings, and what they are called here: layers to unfreeze and maximum epochs (Stage.trainable,
Stage.epochs), neurons (build), learning rate (Stage.learning_rate), batch size (Recipe.batch_size), a fixed number of
steps or all samples (Stage.steps), patience (Stage.patience).
The published protocol splits images, not patients, so that its figure is reported apart ("random25").
Expected here: see model_zoo/exports/vgg16-75-25/card.json, which holds the measured figures.
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
        keras.layers.Dense(neurons // 2, activation="relu"),
        keras.layers.Dropout(0.3),
    ]
    return on_backbone(keras.applications.VGG16, imagenet_mean(), side, head, weights)


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="vgg16-75-25",
        title="VGG16, dense layers",
        summary="A frozen VGG16 under two dense layers, as a paper that compared backbones had it.",
        architecture="VGG16's 13 convolutions, frozen, average pooling, dense layers of 128 and 64, dropout, one logit",
        build=partial(build, side=128, neurons=128),
        side=128,
        channels=3,
        heatmap_layer="block5_conv3",
        stages=(Stage("head", epochs=20, learning_rate=5e-4, trainable="head", patience=4),),
        reference=Reference(
            title="conference paper comparing backbones on the Kermany set, VGG16",
            claims={"accuracy": 0.944, "macro_recall": 0.92},
            protocol="random quarter of the training images",
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
        build=partial(build, side=32, neurons=16),
        side=32,
        collection="phantom",
        stages=(Stage("quick", epochs=3, learning_rate=2e-3, trainable="head"),),
        starting_weights="none",
        random_test_share=0.0,
    )

"""inceptionresnetv2: Inception-ResNet-v2 from scratch, taught by mobilenetv2.

    python -m train fit inceptionresnetv2 [--precision mixed_bfloat16] && python -m train export inceptionresnetv2
    python -m train evaluate inceptionresnetv2

Follows a conference paper that compares frozen backbones under dense layers; its InceptionResNetV2 said pneumonia for
everything (accuracy 0.719, macro recall 0.49). docs/backbones.md looks into how that comes about. What departs from it:
`departs` below.
The published protocol splits images, not patients, so that its figure is reported apart ("random25").
Expected here: see model_zoo/exports/inceptionresnetv2/card.json, which holds the measured figures.
"""

import dataclasses
from functools import partial

import keras

from model_zoo.card import Reference
from train.networks import on_backbone
from train.recipe import HARD_AUGMENTATION, KERMANY_LIMITS, Recipe, Stage


def build(side: int, neurons: int, weights: str = "none") -> keras.Model:
    scaling = keras.layers.Rescaling(1 / 127.5, offset=-1)
    head = [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(neurons, activation="relu"),
        keras.layers.Dropout(0.3),
    ]
    return on_backbone(keras.applications.InceptionResNetV2, scaling, side, head, weights)


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="inceptionresnetv2",
        title="InceptionResNetV2",
        summary="The largest network here: 54 million weights for 3,400 films.",
        architecture="Inception-ResNet-v2, global average pooling, a dense layer of 64, dropout, one logit",
        build=partial(build, side=107, neurons=64),
        side=107,
        channels=3,
        heatmap_layer="block17_20_ac",
        stages=(Stage("all layers", epochs=4, learning_rate=6e-4),),
        reference=Reference(
            title="conference paper comparing backbones on the Kermany set, InceptionResNetV2",
            claims={"accuracy": 0.719, "macro_recall": 0.49},
            protocol="random quarter of the training images",
        ),
        limits=KERMANY_LIMITS,
        random_test_share=0.25,
        balanced=True,
        teachers=("mobilenetv2",),
        augmentation=HARD_AUGMENTATION,
        weight_decay=1e-3,
        ema_momentum=0.99,
        departs="All its layers learn, because ImageNet's weights could not be had here; there, the backbone is "
        "frozen. Films are changed each time, both classes are drawn equally often, weights are averaged over steps, "
        "and `mobilenetv2` teaches beside the labels.",
        mantissa_bits=3,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(build, side=75, neurons=8),
        side=75,
        collection="phantom",
        stages=(Stage("quick", epochs=1, learning_rate=1e-3),),
        random_test_share=0.0,
        teachers=(),
        ema_momentum=0.9,
    )

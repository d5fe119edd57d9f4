"""resnet50-films: a ResNet50 that learns from films alone, so that resnet50-bn has a backbone where ImageNet's weights
cannot be had. mobilenetv2-all teaches it: ten epochs learn its answers, and those after them its feature maps too.

    python -m train fit resnet50-films [--precision mixed_bfloat16]
    python -m train fit resnet50-films-160 --weights resnet50-films

It follows no published work and is a step on the way: it is not exported.
"""

import dataclasses
from functools import partial

import keras

from train.networks import imagenet_mean, on_backbone
from train.recipe import HARD_AUGMENTATION, KERMANY_LIMITS, Recipe, Stage

HINTS = (
    ("conv3_block4_out", "block_5_add"),
    ("conv4_block6_out", "block_12_add"),
    ("conv5_block3_out", "out_relu"),
)


def build(side: int, weights: str = "none") -> keras.Model:
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.3)]
    return on_backbone(keras.applications.ResNet50, imagenet_mean(), side, head, weights)


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="resnet50-films",
        title="ResNet50, learnt from films",
        summary="The backbone of resnet50-bn.",
        architecture="ResNet50, global average pooling, dropout, one logit",
        build=partial(build, side=128),
        side=128,
        channels=3,
        heatmap_layer="conv5_block3_out",
        stages=(
            Stage("all layers", epochs=10, learning_rate=7e-4),
            Stage("features", epochs=15, learning_rate=7e-4, hints=HINTS),
        ),
        reference=None,
        limits=KERMANY_LIMITS,
        balanced=True,
        teachers=("mobilenetv2-all",),
        augmentation=HARD_AUGMENTATION,
        weight_decay=1e-3,
        ema_momentum=0.99,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(build, side=32),
        side=32,
        collection="phantom",
        stages=(Stage("quick", epochs=1, learning_rate=1e-3),),
        teachers=(),
        ema_momentum=0.9,
    )

"""resnet50-all: ResNet50 from ImageNet's weights, to teach champion-resnet what photographs taught a larger network.

    python -m train fit resnet50-all [--weights FILE] && python -m train export resnet50-all

Its first layers, up to the end of the first blocks, stay as they are, which spares their part of the backward pass. It
follows no published work and does not come with a clone, as there is no room for another network of its size.
"""

import dataclasses
from functools import partial

import keras

from model_zoo.folding import folded
from train.networks import imagenet_mean, on_backbone
from train.recipe import HARD_AUGMENTATION, KERMANY_LIMITS, Recipe, Stage

# All layers after conv2_block3_out, where the batch normalisation is folded.
TRAINED_LAYERS = 139


def build(side: int, fixed_statistics: bool = True, weights: str = "none") -> keras.Model:
    """fixed_statistics: as champion-noisy's."""
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.3)]
    network = on_backbone(keras.applications.ResNet50, imagenet_mean(), side, head, weights)
    return folded(network) if fixed_statistics else network


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="resnet50-all",
        title="ResNet50, all films",
        summary="A large network that learnt everyday photographs first.",
        architecture="ResNet50, global average pooling, dropout, one logit",
        build=partial(build, side=160),
        side=160,
        channels=3,
        heatmap_layer="conv5_block3_out",
        stages=(Stage("from the second blocks on", epochs=5, learning_rate=1e-4, trainable=TRAINED_LAYERS),),
        reference=None,
        limits=KERMANY_LIMITS,
        starting_weights="imagenet",
        balanced=True,
        augmentation=HARD_AUGMENTATION,
        weight_decay=1e-3,
        ema_momentum=0.99,
        mantissa_bits=7,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(build, side=32, fixed_statistics=False),
        side=32,
        collection="phantom",
        stages=(Stage("quick", epochs=1, learning_rate=1e-3),),
        starting_weights="none",
        ema_momentum=0.9,
    )

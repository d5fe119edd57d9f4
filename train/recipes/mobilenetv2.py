"""mobilenetv2: ImageNet's MobileNetV2 under a small head, frozen first, then all layers.

    python -m train fit mobilenetv2 [--weights FILE] && python -m train export mobilenetv2
    python -m train evaluate mobilenetv2

Follows a conference paper that compares frozen backbones under dense layers on a random quarter of the training images;
its MobileNetV2 reached an accuracy of 0.728 and a macro recall of 0.50 there: it said pneumonia nearly always. The
published protocol splits images, not patients, so that its figure is reported apart ("random25").
Expected here: see model_zoo/exports/mobilenetv2/card.json, which holds the measured figures.
"""

import dataclasses
from functools import partial

import keras

from model_zoo.card import Reference
from train.networks import on_backbone
from train.recipe import HARD_AUGMENTATION, KERMANY_LIMITS, Recipe, Stage


def build(side: int, neurons: int, alpha: float = 1.0, weights: str = "none") -> keras.Model:
    scaling = keras.layers.Rescaling(1 / 127.5, offset=-1)
    head = [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(neurons, activation="relu"),
        keras.layers.Dropout(0.3),
    ]
    return on_backbone(partial(keras.applications.MobileNetV2, alpha=alpha), scaling, side, head, weights)


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="mobilenetv2",
        title="MobileNetV2",
        summary="A light network that learnt everyday photographs first. Accurate, and looks beside the lungs often.",
        architecture="MobileNetV2, global average pooling, a dense layer of 64, dropout, one logit",
        build=partial(build, side=192, neurons=64),
        side=192,
        channels=3,
        heatmap_layer="out_relu",
        stages=(
            Stage("head", epochs=6, learning_rate=1e-3, trainable="head", patience=3),
            Stage("all layers", epochs=8, learning_rate=4e-4),
        ),
        reference=Reference(
            title="conference paper comparing backbones on the Kermany set, MobileNetV2",
            claims={"accuracy": 0.728, "macro_recall": 0.5},
            protocol="random quarter of the training images",
        ),
        limits=(
            *KERMANY_LIMITS,
            "Its heatmap is coarse, 6 by 6 cells, and on films with pneumonia about two thirds of its evidence for "
            "pneumonia lie outside the lungs.",
        ),
        starting_weights="imagenet",
        random_test_share=0.25,
        balanced=True,
        augmentation=HARD_AUGMENTATION,
        weight_decay=1e-3,
        label_smoothing=0.05,
        ema_momentum=0.995,
        departs="After a stage with a frozen backbone, which is all that there was there, a second one trains all "
        "layers. In it films are changed each time, and in both the classes are drawn equally often, labels are "
        "smoothed, and weights are averaged over steps.",
        mantissa_bits=7,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(build, side=96, neurons=16, alpha=0.35),
        side=96,
        collection="phantom",
        stages=(Stage("quick", epochs=3, learning_rate=2e-3),),
        starting_weights="none",
        random_test_share=0.0,
        ema_momentum=0.9,
    )

"""champion-noisy: MobileNetV2 that weighs its features by lung, learnt from films that all had noise added.

    python -m train fit champion-noisy --weights mobilenetv2-all

MobileNetV2 with its two last resolutions joined, so that the heatmap has 12 by 12 cells, and a gate that learns from
true lung masks which cells are lung. What lies outside the lungs reaches the answer through cells that count little,
and through the receptive fields of cells inside. mobilenetv2-all and vgg16-weighted teach it beside the labels: they
see the film as it is, it sees the lungs under another exposure, half the time in another film's surroundings. How the
settings were chosen, without a test image: docs/experiments.md.
champion-averaged goes on from it. No export comes with a clone: it was champion itself, and gave its name up.
"""

import dataclasses
from functools import partial

import keras
from keras import layers

from model_zoo.folding import folded
from train.networks import backbone_on_gray
from train.recipe import HARD_AUGMENTATION, KERMANY_LIMITS, Recipe, Stage

HEATMAP_LAYER, GATE = "lung_features", "lung_gate"
GATE_LIMIT = (
    "It learnt to weigh the lungs, so a heatmap that lies there is no proof that the answer came from there: a cell in "
    "the lungs sees a good part of the film around it."
)


def build(
    side: int,
    maps: int,
    alpha: float = 1.0,
    fixed_statistics: bool = True,
    joined: bool = True,
    gated: bool = True,
    weights: str = "none",
) -> keras.Model:
    """MobileNetV2 under one logit.

    fixed_statistics: keep the statistics of its batch normalisation as they are, folded into the convolutions; a step
        of training then takes a third of the time. From random weights they must be learnt.
    joined: the maps of strides 32 and 16 are added, each reduced to `maps` by a 1x1 convolution, on the finer grid;
        otherwise those of stride 32 alone are used, as they are.
    gated: each cell counts by the square of how much of it is lung, and the mean is taken over the lungs; otherwise
        over all cells.
    """
    application = partial(keras.applications.MobileNetV2, alpha=alpha)
    backbone = backbone_on_gray(application, layers.Rescaling(1 / 127.5, offset=-1), side, weights)
    if fixed_statistics:
        backbone = folded(backbone)
    x = backbone.output
    if joined:
        fine = layers.Conv2D(maps, 1)(backbone.get_layer("block_13_expand_relu").output)
        coarse = layers.UpSampling2D(interpolation="bilinear")(layers.Conv2D(maps, 1)(x))
        x = layers.Activation("relu")(layers.Add()([coarse, fine]))
    if gated:
        gate = layers.Conv2D(1, 1, activation="sigmoid", name=GATE)(x)
        # Squared, because a map is painted larger than its cells: those at the edge of a lung would spill out of it.
        weight = layers.Multiply()([gate, gate])
        # The small constant bounds the weight of a cell where hardly any lung is found.
        x = layers.Multiply()([x, weight / (layers.GlobalAveragePooling2D(keepdims=True)(weight) + 0.05)])
    x = layers.Activation("linear", name=HEATMAP_LAYER)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(backbone.inputs[0], layers.Dense(1, name="logit")(x))


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="champion-noisy",
        title="Champion, with noise",
        summary="Learnt from lung masks to weigh what lies in the lungs more, from films that all had noise added.",
        architecture="MobileNetV2, its two last resolutions joined, gated by lung, averaged over the lungs, one logit",
        build=partial(build, side=192, maps=128),
        side=192,
        channels=1,
        heatmap_layer=HEATMAP_LAYER,
        stages=(Stage("all layers", epochs=8, learning_rate=2e-4),),
        reference=None,
        limits=(*KERMANY_LIMITS, GATE_LIMIT),
        starting_weights="imagenet",
        balanced=True,
        teachers=("mobilenetv2-all", "vgg16-weighted"),
        lung_gate=GATE,
        exchanged_surroundings=0.5,
        augmentation=HARD_AUGMENTATION,
        weight_decay=1e-3,
        ema_momentum=0.99,
        mantissa_bits=7,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(build, side=96, maps=32, alpha=0.35, fixed_statistics=False),
        side=96,
        collection="phantom",
        stages=(Stage("quick", epochs=3, learning_rate=2e-3),),
        starting_weights="none",
        teachers=(),
        ema_momentum=0.9,
    )


def variant(
    quick: bool,
    epochs: int,
    learning_rate: float = 2e-4,
    teachers: tuple[str, ...] = (),
    even_heights: bool = False,
    starting_weights: str = "imagenet",
    **settings,
) -> Recipe:
    """champion-noisy's recipe with other settings, for a model that is as it is but for these. The quick version does
    without those that are named: its epochs are few, phantoms have one size, and no network learnt from them before."""
    changed = dataclasses.replace(recipe(quick), **settings)
    if quick:
        return changed
    (stage,) = changed.stages
    return dataclasses.replace(
        changed,
        stages=(dataclasses.replace(stage, epochs=epochs, learning_rate=learning_rate),),
        teachers=teachers,
        even_heights=even_heights,
        starting_weights=starting_weights,
    )

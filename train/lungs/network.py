"""A small U-Net (Ronneberger, Fischer & Brox 2015) for lung fields.

It works at half the input's resolution, where a lung's border is still sharp enough: its logits are enlarged linearly,
which places the border between two cells.
"""

from collections.abc import Sequence

import keras
from keras import layers

WIDTHS = (24, 40, 72, 96)


def lung_network(side: int, widths: Sequence[int] = WIDTHS) -> keras.Model:
    """Input (n, side, side, 1) in 0..255, side a multiple of 2 ** len(widths); output logits (n, side, side, 1) of
    belonging to a lung. widths: feature maps at a half, a quarter, ... of the side."""
    inputs = keras.Input((side, side, 1), name="radiograph")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    skips = []
    for width in widths:
        x = _convolution(_convolution(x, width, strides=2), width)
        skips.append(x)
    for width, skip in zip(widths[-2::-1], skips[-2::-1], strict=True):
        x = layers.UpSampling2D(interpolation="bilinear")(_convolution(x, width, kernel_size=1))
        x = _convolution(layers.Concatenate()([x, skip]), width)
    logits = layers.Conv2D(1, 1)(x)
    return keras.Model(inputs, layers.UpSampling2D(interpolation="bilinear", name="logits")(logits), name="lungs")


def _convolution(x, width: int, strides: int = 1, kernel_size: int = 3):
    x = layers.Conv2D(width, kernel_size, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))

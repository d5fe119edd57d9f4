"""Run the lung-field network. Importing this imports TensorFlow."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit

from cases.preprocess import model_input
from model_zoo.folding import folded
from model_zoo.loading import load_network
from model_zoo.lungs.card import EXPORT, read_lung_card
from model_zoo.lungs.regions import LungFields, lung_fields
from model_zoo.registry import verified


class LungSegmenter:
    """The network in memory. It holds no state between calls and may be called from several threads.

    Raises CardError and ExportError when the export cannot be used.
    """

    def __init__(self, folder: Path = EXPORT):
        self.card = read_lung_card(folder)
        path = verified(folder / "model.keras", self.card.sha256)
        network = folded(load_network(path))
        images = tf.TensorSpec((None, self.card.side, self.card.side, 1), tf.float32)
        both = keras.Model(network.input, [network.output, _deepest(network)])

        def look(x):
            logits, maps = both(x, training=False)
            return logits, tf.reduce_mean(maps, axis=(1, 2))

        self._look = tf.function(look, input_signature=[images])

    def input(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (height, width) as the network's input: uint8 (side, side, 1)."""
        return model_input(pixels, self.card.side, 1)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Per pixel, the probability of lung: (n, side, side, 1) in 0..255 to float32 (n, side, side) in 0..1."""
        return self.look(images)[0]

    def look(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """probabilities(), and from the same pass the means of the deepest maps, float32 (n, maps)."""
        logits, means = self._look(np.asarray(images, np.float32))
        return expit(logits.numpy()[..., 0]), means.numpy()

    def find(self, pixels: np.ndarray) -> LungFields | None:
        """The lung fields of one radiograph, uint8 (height, width), on a grid of (side, side); None where none are
        found."""
        return self.fields(self.probabilities(self.input(pixels)[np.newaxis])[0])

    def fields(self, probability: np.ndarray) -> LungFields | None:
        """regions.lung_fields at the card's limits."""
        return lung_fields(probability, self.card.gate.smallest_share, self.card.gate.lowest_confidence)


def _deepest(network: keras.Model):
    """The output of the U-Net's bottleneck: on the smallest grid, the last of those with the most maps."""
    outputs = [layer.output for layer in reversed(network.layers) if isinstance(layer, keras.layers.ReLU)]
    return max(outputs, key=lambda output: (-output.shape[1], output.shape[-1]))

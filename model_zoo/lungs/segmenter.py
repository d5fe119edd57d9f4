"""Run the lung-field network. Importing this imports TensorFlow."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

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
        self._logits = tf.function(lambda x: network(x, training=False), input_signature=[images])

    def input(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (height, width) as the network's input: uint8 (side, side, 1)."""
        return model_input(pixels, self.card.side, 1)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Per pixel, the probability of lung: (n, side, side, 1) in 0..255 to float32 (n, side, side) in 0..1."""
        return expit(self._logits(np.asarray(images, np.float32)).numpy()[..., 0])

    def find(self, pixels: np.ndarray) -> LungFields | None:
        """The lung fields of one radiograph, uint8 (height, width), on a grid of (side, side); None where none are
        found."""
        probability = self.probabilities(self.input(pixels)[np.newaxis])[0]
        return lung_fields(probability, self.card.gate.smallest_share, self.card.gate.lowest_confidence)

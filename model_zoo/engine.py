"""Run a trained model: probability and Grad-CAM for the price of one forward pass.

The network is cut once at its heatmap layer into features and head. One traced function runs the features once and
takes the gradient of the logit through the head only. Grad-CAM (Selvaraju et al. 2017) weights each feature map by
its mean gradient and sums them; before the rectifier that sum is a signed map, so that its positive part is the
evidence for PNEUMONIA and its negative part the evidence for NORMAL (the negated logit has the negated gradient).

Importing this module imports TensorFlow (about 6 s): pages that only show stored results must not.
"""

import os

# Whatever backend this machine trains with, the engine's gradient is TensorFlow's.
os.environ["KERAS_BACKEND"] = "tensorflow"

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from cases.preprocess import model_input
from model_zoo.calibration import calibrated
from model_zoo.depth import layers_by_depth
from model_zoo.folding import folded
from model_zoo.loading import load_network
from model_zoo.registry import Export, ExportError

DIRECTIONS = ("pneumonia", "normal")


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a model says of one radiograph, and why.

    logit: for PNEUMONIA. probability: sigmoid(logit / temperature), 0..1.
    signed_map: float32 (rows, columns) of the heatmap layer, raw Grad-CAM before the rectifier, in logits per feature
        (a committee's: in shares of its members' full strength): above 0 speaks for pneumonia, below 0 for normal. Not
        normalised: maps of two images can be compared.
    members: a committee's members' own calibrated probabilities, in the order of its card; none for a network.
    """

    logit: float
    probability: float
    signed_map: np.ndarray
    members: tuple[float, ...] = ()

    def evidence(self, direction: str) -> np.ndarray:
        """Grad-CAM for one of DIRECTIONS: float32 (rows, columns), >= 0. All zero means that nothing speaks for it."""
        if direction not in DIRECTIONS:
            raise ValueError(f"Expected a direction of {', '.join(DIRECTIONS)}. Received: {direction!r}.")
        return np.maximum(self.signed_map if direction == "pneumonia" else -self.signed_map, 0)


class Reader(ABC):
    """What can be asked about radiographs: a network (Engine) or a committee of them (committee.CommitteeEngine)."""

    export: Export

    @abstractmethod
    def input(self, pixels: np.ndarray) -> np.ndarray:
        """One radiograph's pixels, uint8 (height, width), as this reader takes it. np.stack makes a batch."""

    @abstractmethod
    def explain(self, images: np.ndarray) -> list[Explanation]:
        """Explanations of a batch of inputs, one per image."""

    @abstractmethod
    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (n,) of a batch of inputs, without maps: the bare forward pass."""

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (n,), 0..1, of a batch of inputs, without maps."""
        return calibrated(self.logits(images), self.export.card.temperature)

    def probabilities(self, pixels: Iterable[np.ndarray], batch_size: int = 32) -> Iterator[float]:
        """Probabilities of a stream of radiographs, in order; no more than a batch is held in memory."""
        batch: list[np.ndarray] = []
        for image in pixels:
            batch.append(self.input(image))
            if len(batch) == batch_size:
                yield from self.scores(np.stack(batch)).tolist()
                batch.clear()
        if batch:
            yield from self.scores(np.stack(batch)).tolist()


class Engine(Reader):
    """A network in memory. It holds no state between calls and may be called from several threads.

    model: as it was exported. What runs is network, its copy with batch normalisation folded away (folding.folded).
    body, head: network, cut at the heatmap layer. depths: the layers of explain_depths(), shallow to deep.

    Raises ExportError when the file is not the one that the card describes, or is no model of the expected form.
    """

    def __init__(self, export: Export):
        self.export = export
        self.model = _load(export)
        self.network = folded(self.model)
        self.depths = layers_by_depth(self.network)
        self.body, self.head = _cut(self.network, export)
        card = export.card
        images = tf.TensorSpec((None, card.side, card.side, card.channels), tf.float32)
        self._explain = tf.function(self._explain_batch, input_signature=[images])
        self._logits = tf.function(lambda x: self.network(x, training=False), input_signature=[images])
        self._feature_maps = tf.function(lambda x: self.body(x, training=False), input_signature=[images])
        self._input_gradients = tf.function(self._input_gradient_batch, input_signature=[images])
        self._explain_depths = tf.function(self._explain_depths_batch, input_signature=[images])

    def input(self, pixels: np.ndarray) -> np.ndarray:
        """One radiograph's pixels, uint8 (height, width), as this model's input: uint8 (side, side, channels)."""
        return model_input(pixels, self.export.card.side, self.export.card.channels)

    def explain(self, images: np.ndarray) -> list[Explanation]:
        """Explanations of a batch (n, side, side, channels), 0..255, one per image."""
        logits, maps = self._explain(np.asarray(images, np.float32))
        logits = logits.numpy()
        probabilities = calibrated(logits, self.export.card.temperature)
        return [
            Explanation(float(logit), float(probability), signed_map)
            for logit, probability, signed_map in zip(logits, probabilities, maps.numpy(), strict=True)
        ]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (n,) of a batch, without maps: the bare forward pass."""
        return self._logits(np.asarray(images, np.float32)).numpy()[:, 0]

    def features(self, images: np.ndarray) -> np.ndarray:
        """The mean of each feature map at the heatmap layer, float32 (n, maps), of a batch as explain() takes it."""
        return self.feature_maps(images).mean(axis=(1, 2))

    def feature_maps(self, images: np.ndarray) -> np.ndarray:
        """The heatmap layer's output, float32 (n, rows, columns, maps), of a batch as explain() takes it."""
        return self._feature_maps(np.asarray(images, np.float32)).numpy()

    def input_gradients(self, images: np.ndarray) -> np.ndarray:
        """How much each value of the input moves the logit: float32, of the shape of a batch as explain() takes it."""
        return self._input_gradients(np.asarray(images, np.float32)).numpy()

    def explain_depths(self, images: np.ndarray) -> list[np.ndarray]:
        """Grad-CAM at each of depths, float32 (n, rows, columns) as signed_map is: one pass forward and one back."""
        return [signed_maps.numpy() for signed_maps in self._explain_depths(np.asarray(images, np.float32))]

    def _explain_batch(self, images):
        features = self.body(images, training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(features)
            logits = self.head(features, training=False)[:, 0]
        return logits, _weighted_sum(features, tape.gradient(logits, features))

    def _input_gradient_batch(self, images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits = self.network(images, training=False)
        return tape.gradient(logits, images)

    def _explain_depths_batch(self, images):
        outputs = [self.network.get_layer(name).output for name in self.depths]
        # Built here, when this is traced first: most visits never ask for it.
        tapped = keras.Model(self.network.input, [*outputs, self.network.output])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            *features, logits = tapped(images, training=False)
        gradients = tape.gradient(logits, features)
        return [_weighted_sum(maps, gradient) for maps, gradient in zip(features, gradients, strict=True)]


def _weighted_sum(features, gradient):
    """Grad-CAM before the rectifier, (n, rows, columns), from two tensors (n, rows, columns, maps)."""
    return tf.reduce_sum(tf.reduce_mean(gradient, axis=(1, 2), keepdims=True) * features, axis=-1)


def _load(export: Export) -> keras.Model:
    path = export.verified_model_path()
    try:
        model = load_network(path)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ExportError(f"{path}: expected a Keras model of built-in layers. Received: {error}") from error
    card = export.card
    expected = ((None, card.side, card.side, card.channels), (None, 1))
    received = (tuple(model.input_shape), tuple(model.output_shape))
    if received != expected:
        raise ExportError(f"{path}: expected input and output shapes {expected}. Received: {received}.")
    return model


def _cut(model: keras.Model, export: Export) -> tuple[keras.Model, keras.Model]:
    name = export.card.heatmap.layer
    try:
        layer = model.get_layer(name)
        return keras.Model(model.input, layer.output), keras.Model(layer.output, model.output)
    except ValueError as error:
        raise ExportError(
            f"{export.model_path}: expected a layer {name!r} that everything after it passes through. Received: {error}"
        ) from error

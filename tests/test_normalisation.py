"""Fused batch normalisation trains as Keras's own does, and leaves no trace in what is saved."""

import keras
import numpy as np
import pytest
from keras import layers

from train.networks import cnn11
from train.normalisation import FusedBatchNormalization, fused

IMAGES = np.random.default_rng(0).uniform(0, 255, (6, 32, 32, 1)).astype("float32")


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return cnn11(32, width=4, dropout=0.0)


def test_a_network_keeps_its_weights_and_answers():
    plain = network()
    rng = np.random.default_rng(1)
    for layer in plain.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    swapped = fused(plain)
    assert any(isinstance(layer, FusedBatchNormalization) for layer in swapped.layers)
    assert [layer.name for layer in swapped.layers] == [layer.name for layer in plain.layers]
    for received, expected in zip(swapped.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)
    np.testing.assert_allclose(swapped(IMAGES), plain(IMAGES), rtol=1e-4)


def test_steps_of_training_move_weights_and_statistics_as_keras_does():
    labels = np.array([0, 1, 0, 1, 1, 0], "float32")[:, None]
    plain = network()
    trained = []
    for model in (plain, fused(plain)):
        model.compile(keras.optimizers.SGD(0.01), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
        for _ in range(3):
            model.train_on_batch(IMAGES, labels)
        trained.append(model)
    before = network()
    for start, expected, received in zip(before.weights, *(model.weights for model in trained), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-4, err_msg=start.path)
    moved = [np.abs(a - b).max() for a, b in zip(before.get_weights(), trained[1].get_weights(), strict=True)]
    assert min(moved) > 0


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.BatchNormalization(), (8, 5)),
        (layers.BatchNormalization(axis=1), (8, 4, 4, 3)),
        (layers.BatchNormalization(scale=False), (8, 4, 4, 3)),
        (layers.BatchNormalization(center=False), (8, 4, 4, 3)),
        (layers.BatchNormalization(trainable=False), (8, 4, 4, 3)),
    ],
)
def test_what_cannot_be_fused_is_left_to_keras(layer, shape):
    inputs = np.random.default_rng(2).normal(size=shape).astype("float32")
    model = keras.Sequential([keras.Input(shape[1:]), layer])
    swapped = fused(model)
    for training in (False, True):
        np.testing.assert_allclose(swapped(inputs, training=training), model(inputs, training=training), atol=1e-5)
    for received, expected in zip(swapped.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5)

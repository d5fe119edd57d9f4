"""Folding batch normalisation away: the same function, and only where it is one."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def model():
    """Normalisations after a plain, a biased and a depthwise convolution, after a shared one, after an activated one,
    and after an addition; with statistics that are not those of a fresh layer."""
    import keras
    from keras import layers

    inputs = keras.Input((12, 12, 3))
    x = layers.BatchNormalization(name="plain")(layers.Conv2D(4, 3, use_bias=False)(inputs))
    x = layers.BatchNormalization(name="biased", scale=False)(layers.Conv2D(6, 3, name="conv")(x))
    x = layers.BatchNormalization(name="depthwise")(layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)(x))
    shared = layers.Conv2D(5, 1, name="shared")(x)
    y = layers.BatchNormalization(name="branch")(shared)
    z = layers.BatchNormalization(name="sum")(layers.Add()([shared, y]))
    z = layers.BatchNormalization(name="activated")(layers.Conv2D(5, 1, activation="relu")(z))
    made = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling2D()(z)))
    rng = np.random.default_rng(0)
    made.set_weights([rng.uniform(0.5, 1.5, weight.shape).astype(np.float32) for weight in made.get_weights()])
    return made


def test_folded_model_is_the_same_function_and_the_model_stays_as_it_was(model):
    from model_zoo.folding import folded

    images = np.random.default_rng(1).normal(size=(5, 12, 12, 3)).astype(np.float32)
    before = model.get_weights()
    expected = model.predict(images, verbose=0)
    received = folded(model).predict(images, verbose=0)
    np.testing.assert_allclose(received, expected, rtol=1e-4)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_only_what_follows_a_linear_convolution_alone_is_folded(model):
    from keras.layers import BatchNormalization

    from model_zoo.folding import folded

    kept = {layer.name for layer in folded(model).layers if isinstance(layer, BatchNormalization)}
    assert kept == {"branch", "sum", "activated"}

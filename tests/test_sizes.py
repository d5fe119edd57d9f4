"""A network that looks at its film at several sizes: the mean of what one does at each."""

import keras
import numpy as np
import pytest

from model_zoo.depth import layers_by_depth
from train.networks import at_sides, cnn11

FILMS = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 1)).astype("float32")


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """Its normalisation away from where it starts."""
    keras.utils.set_random_seed(0)
    network, rng = cnn11(side=48, width=4, dropout=0.2), np.random.default_rng(1)
    network.set_weights([weight + rng.uniform(0, 0.02, weight.shape) for weight in network.get_weights()])
    return network


def small_maps(network: keras.Model) -> np.ndarray:
    """Of the last convolution, for films brought to 32 pixels."""
    body = keras.Model(network.input, network.get_layer("last_conv").output)
    body = keras.models.clone_model(body, input_tensors=keras.Input((32, 32, 1)))
    body.set_weights(network.get_weights()[: len(body.weights)])
    return body(keras.ops.image.resize(FILMS, (32, 32), antialias=True))


def test_one_size_is_the_network_itself(plain):
    alone = at_sides(plain, (48,), "last_conv")
    np.testing.assert_allclose(alone(FILMS), plain(FILMS), rtol=1e-5)


def test_the_answer_is_that_to_the_mean_of_the_maps(plain, tmp_path):
    both = at_sides(plain, (32, 48), "last_conv")
    assert both.input_shape == (None, 48, 48, 1)
    assert both.count_params() == plain.count_params()

    body = keras.Model(plain.input, plain.get_layer("last_conv").output)
    maps = (body(FILMS) + keras.ops.image.resize(small_maps(plain), (6, 6))) / 2
    expected = plain.layers[-1](np.mean(maps, axis=(1, 2)))
    assert np.abs(expected - plain(FILMS)).max() > 1e-3
    np.testing.assert_allclose(both(FILMS), expected, rtol=1e-4)

    both.save(tmp_path / "both.keras")
    again = keras.models.load_model(tmp_path / "both.keras", compile=False)
    np.testing.assert_allclose(again(FILMS), expected, rtol=1e-4)
    assert layers_by_depth(again) == ("last_conv",)


def test_a_head_that_knows_one_grid_is_given_maps_on_that_grid():
    """A network for 32 pixels, whose flattened maps a dense layer weighs one by one, looks at 48 as well."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(3, 3, 4, padding="same", activation="relu", name="last_conv")(inputs)
    flat = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    both = at_sides(flat, (32, 48), "last_conv")
    assert both.input_shape == (None, 48, 48, 1)
    assert both.get_layer("last_conv").output.shape == (None, 8, 8, 3)

    body = keras.models.clone_model(
        keras.Model(flat.input, flat.get_layer("last_conv").output), input_tensors=keras.Input((48, 48, 1))
    )
    body.set_weights(flat.get_weights()[:2])
    maps = (keras.ops.image.resize(body(FILMS), (8, 8)) + small_maps(flat)) / 2
    np.testing.assert_allclose(both(FILMS), flat.layers[-1](np.reshape(maps, (3, -1))), rtol=1e-4)


def test_a_head_of_more_than_layers_is_refused():
    inputs = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(3, 3, name="last_conv")(inputs)
    x = keras.ops.relu(keras.layers.GlobalAveragePooling2D()(x))
    with pytest.raises(ValueError, match="no layers"):
        at_sides(keras.Model(inputs, keras.layers.Dense(1)(x)), (32, 48), "last_conv")

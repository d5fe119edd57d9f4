"""A network that looks at its film at several sizes: the mean of what one does at each."""

from functools import partial

import keras
import numpy as np
import pytest

from model_zoo.depth import layers_by_depth
from train.networks import at_sides, cnn11

build = partial(cnn11, width=4, dropout=0.2)
FILMS = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 1)).astype("float32")


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """For films of any size, its normalisation away from where it starts."""
    keras.utils.set_random_seed(0)
    network, rng = build(side=None), np.random.default_rng(1)
    network.set_weights([weight + rng.uniform(0, 0.02, weight.shape) for weight in network.get_weights()])
    return network


def with_weights(network: keras.Model, source: keras.Model) -> keras.Model:
    network.set_weights(source.get_weights())
    return network


def test_one_size_is_the_network_itself(plain):
    alone = with_weights(at_sides(build, (48,), "last_conv"), plain)
    np.testing.assert_allclose(alone(FILMS), plain(FILMS), rtol=1e-5)


def test_the_answer_is_that_to_the_mean_of_the_maps(plain, tmp_path):
    both = with_weights(at_sides(build, (32, 48), "last_conv"), plain)
    assert both.input_shape == (None, 48, 48, 1)
    assert both.count_params() == plain.count_params()

    body = keras.Model(plain.input, plain.get_layer("last_conv").output)
    small = keras.ops.image.resize(body(keras.ops.image.resize(FILMS, (32, 32), antialias=True)), (6, 6))
    maps = (body(FILMS) + small) / 2
    expected = plain.layers[-1](np.mean(maps, axis=(1, 2)))
    assert np.abs(expected - plain(FILMS)).max() > 1e-3
    np.testing.assert_allclose(both(FILMS), expected, rtol=1e-4)

    both.save(tmp_path / "both.keras")
    again = keras.models.load_model(tmp_path / "both.keras", compile=False)
    np.testing.assert_allclose(again(FILMS), expected, rtol=1e-4)
    assert layers_by_depth(again) == ("last_conv",)

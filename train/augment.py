"""Augmentation as Keras layers, so that it runs inside the training graph on every backend.

`augmenter(settings, seed)` returns a Keras Sequential: float32 (n, side, side, channels) in 0..255 to the same shape
and range, active only when called with training=True.
"""

import math
from dataclasses import replace

import keras
from keras import ops

from train.recipe import Augmentation


class RandomGamma(keras.layers.Layer):
    """Raises intensities, scaled to 0..1, to the power exp(u) with u uniform in +-strength, one draw per image."""

    def __init__(self, strength: float, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.strength = strength
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        if not training:
            return images
        draw = keras.random.uniform(
            (ops.shape(images)[0], 1, 1, 1), -self.strength, self.strength, seed=self.seed_generator
        )
        # The small floor keeps the gradient of the power finite where a pixel is black.
        return 255.0 * ops.power(ops.clip(images / 255.0, 1e-4, 1.0), ops.exp(draw))


class RandomNoise(keras.layers.Layer):
    """Adds Gaussian noise of standard deviation `deviation`, in gray levels (keras.layers.GaussianNoise stops at 1)."""

    def __init__(self, deviation: float, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.deviation = deviation
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        if not training:
            return images
        noise = keras.random.normal(ops.shape(images), stddev=self.deviation, seed=self.seed_generator)
        return ops.clip(images + noise, 0.0, 255.0)


def augmenter(settings: Augmentation, seed: int) -> keras.Sequential:
    layers = []
    geometry = {"fill_mode": "constant", "fill_value": 0.0, "interpolation": "bilinear"}
    if settings.horizontal_flip:
        layers.append(keras.layers.RandomFlip("horizontal", seed=seed))
    if settings.rotation:
        layers.append(keras.layers.RandomRotation(settings.rotation / 360, seed=seed + 1, **geometry))
    if settings.shear:
        slope = math.tan(math.radians(settings.shear))
        layers.append(keras.layers.RandomShear(x_factor=slope, y_factor=slope, seed=seed + 2, **geometry))
    if settings.zoom != (1.0, 1.0):
        factor = tuple(edge - 1 for edge in settings.zoom)
        layers.append(keras.layers.RandomZoom(factor, factor, seed=seed + 3, **geometry))
    if settings.translation:
        shift = settings.translation
        layers.append(keras.layers.RandomTranslation(shift, shift, seed=seed + 4, **geometry))
    if settings.gamma:
        layers.append(RandomGamma(settings.gamma, seed=seed + 5))
    if settings.contrast != (1.0, 1.0):
        lowest, highest = settings.contrast
        layers.append(keras.layers.RandomContrast((1 - lowest, highest - 1), seed=seed + 6))
    if settings.brightness:
        layers.append(keras.layers.RandomBrightness(settings.brightness, value_range=(0, 255), seed=seed + 7))
    if settings.noise:
        layers.append(RandomNoise(255 * settings.noise, seed=seed + 8))
    if settings.erasing:
        share = (settings.erasing, settings.erasing)
        layers.append(keras.layers.RandomErasing(share, value_range=(0, 255), seed=seed + 9))
    if keras.backend.backend() == "jax":
        # Keras bars the warping layers from compiled steps on every backend; only TensorFlow cannot compile them.
        for layer in layers:
            layer.supports_jit = True
    return keras.Sequential(layers or [keras.layers.Identity()], name="augmentation")


# Of an Augmentation, what changes the image and leaves the lungs where they are.
_EXPOSURE = ("gamma", "contrast", "brightness", "noise", "erasing")


def geometry_and_exposure(settings: Augmentation) -> tuple[Augmentation, Augmentation]:
    """An augmentation's two parts: what an image's mask must go through too, and what changes the image alone."""
    untouched = Augmentation()
    return (
        replace(settings, **{name: getattr(untouched, name) for name in _EXPOSURE}),
        replace(untouched, **{name: getattr(settings, name) for name in _EXPOSURE}),
    )


def seed_generators(network: keras.Model) -> list[keras.random.SeedGenerator]:
    """Every random generator of a network's layers, in a stable order. Keras does not save their state, so a resumed
    run sets it anew at the start of each epoch (checkpoints.ReseedEachEpoch)."""
    found = []
    for layer in network._flatten_layers():
        for value in vars(layer).values():
            if isinstance(value, keras.random.SeedGenerator) and all(value is not other for other in found):
                found.append(value)
    return found

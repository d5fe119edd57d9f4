"""Teaching a classifier where the lungs are, from true masks that it never sees again once it is trained.

Two lessons, which a recipe asks for by lung_gate and exchanged_surroundings:

- a gate inside the network, which its pooled features pass, learns how much of each cell lies in the lungs;
- some training images keep their lungs alone, and get all the rest from another film, so that nothing outside the lungs
  can tell the label.
"""

import keras
import numpy as np
from keras import ops

from cases.collections import open_collection
from cases.preprocess import model_input
from train.augment import augmenter, geometry_and_exposure
from train.data import ImageSet
from train.lungs import data as lung_data
from train.recipe import Recipe
from train.teacher import Imitation, answers_of

# The cut around exchanged lungs is widened and softened over this share of the side.
_MARGIN = 0.05


def check_masks(recipe: Recipe) -> None:
    """Raises CollectionUnavailable without the masks, which are asked for when the films have been read."""
    if not open_collection(recipe.collection).synthetic:
        lung_data.masks_root()


def with_masks(recipe: Recipe, data: ImageSet) -> ImageSet:
    """data with one channel more: 255 in the lungs, 0 outside, and 0 everywhere where no mask is known.

    Raises CollectionUnavailable without the masks."""
    collection = open_collection(recipe.collection)
    masks = np.zeros((*data.images.shape[:3], 1), np.uint8)
    known = set(lung_data.with_masks(collection, data.entries))
    for mask, entry in zip(masks, data.entries, strict=True):
        if entry in known:
            lungs = lung_data.true_mask(collection.load(entry.id), entry)
            mask[:] = model_input(255 * lungs.astype(np.uint8), recipe.side, 1)
    return ImageSet(np.concatenate([data.images, masks], axis=-1), data.labels, data.entries)


def trainer(network: keras.Model, recipe: Recipe, finish: keras.layers.Layer) -> keras.Model:
    """What fit.py fits: images and masks, (n, side, side, channels + 1) as with_masks gives them, to logits (n, 1).

    Teachers see a film before its surroundings are exchanged and its exposure is changed, noise included, and so answer
    as well as they can what the network is to answer under worse conditions. finish: applied to the logits. Errors as
    for teacher.answers_of.
    """
    geometry, exposure = geometry_and_exposure(recipe.augmentation)
    pairs = keras.Input((recipe.side, recipe.side, recipe.channels + 1))
    moved = augmenter(geometry, recipe.run_seed)(pairs)
    films, masks = moved[..., :-1], moved[..., -1:]
    images = films
    if recipe.exchanged_surroundings:
        images = ExchangeSurroundings(recipe.exchanged_surroundings, recipe.run_seed)(images, masks)
    expose = augmenter(exposure, recipe.run_seed)
    expose.name = "exposure"
    images = expose(images)
    if recipe.lung_gate:
        gate_layer = network.get_layer(recipe.lung_gate)
        logits, gate = keras.Model(network.input, [network.output, gate_layer.output], name="gated")(images)
        logits = GateLesson()(finish(logits), gate, masks)
    else:
        logits = finish(network(images))
    if recipe.teachers:
        logits = Imitation()(logits, answers_of(recipe, network.dtype_policy)(films))
    return keras.Model(pairs, logits, name="trainer")


class ExchangeSurroundings(keras.layers.Layer):
    """In training, a share of the images keeps its lungs and gets everything else from the image before it in the
    batch. images: (n, side, side, channels) in 0..255, returned alike; masks: (n, side, side, 1) in 0..255."""

    def __init__(self, share: float, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.share = share
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, masks, training=False):
        if not training:
            return images
        width = 2 * round(_MARGIN * images.shape[1]) + 1
        kept = ops.average_pool(ops.max_pool(masks / 255.0, width, 1, "same"), width, 1, "same")
        draw = keras.random.uniform((ops.shape(images)[0], 1, 1, 1), seed=self.seed_generator)
        chosen = ops.cast(draw < self.share, images.dtype) * _known(masks)
        return images + chosen * (1 - kept) * (ops.roll(images, 1, axis=0) - images)


class GateLesson(keras.layers.Layer):
    """Passes logits (n, 1) on; in training it adds the cross-entropy between a gate (n, rows, columns, 1), 0..1, and
    how much of each cell its mask (n, side, side, 1), 0..255, covers."""

    def call(self, logits, gate, masks, training=False):
        if training:
            cell = masks.shape[1] // gate.shape[1]
            covered = ops.average_pool(masks / 255.0, cell, cell)
            gate = ops.clip(ops.cast(gate, "float32"), 1e-6, 1 - 1e-6)
            entropy = -covered * ops.log(gate) - (1 - covered) * ops.log(1 - gate)
            self.add_loss(ops.mean(_known(masks) * entropy))
        return logits


def _known(masks):
    """(n, 1, 1, 1): 1 where an image has a mask, 0 where none is known."""
    return ops.cast(ops.max(masks, axis=(1, 2, 3), keepdims=True) > 0, masks.dtype)

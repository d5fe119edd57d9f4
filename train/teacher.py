"""Learning from a better model: its answers on the very images that the network is shown, augmentation included, beside
the labels (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent").

The teacher must have been kept from the images that its pupil validates and reports on, so both have the same split.
"""

import keras
from keras import ops

from model_zoo.folding import folded
from model_zoo.registry import open_export
from train.recipe import Recipe, RecipeError

# The teacher's answer counts this many times as much as the label.
WEIGHT = 2.0
_SPLIT = ("collection", "random_test_share", "validation_share", "seed")


class Imitation(keras.layers.Layer):
    """Passes logits (n, 1) on; in training it adds WEIGHT times their cross-entropy to the teacher's probabilities."""

    def call(self, logits, answers, training=False):
        if training:
            gap = ops.binary_crossentropy(ops.sigmoid(answers), logits, from_logits=True)
            self.add_loss(WEIGHT * ops.mean(gap))
        return logits


def answers_of(recipe: Recipe) -> keras.Model:
    """The recipe's teacher, frozen: its pupil's input, (n, side, side, channels) in 0..255, to its calibrated logits.

    Raises RecipeError for a teacher that learnt from another share of the images, ExportError or CardError for one that
    cannot be used.
    """
    export = open_export(recipe.teacher)
    weights = export.verified_model_path()
    card, own = export.card, recipe.hyperparameters()
    if other := [name for name in _SPLIT if card.recipe.get(name) != own[name]]:
        raise RecipeError(
            f"Expected a teacher that learnt from {recipe.id}'s training images only, with the same "
            f"{', '.join(_SPLIT)}. Received: {recipe.teacher}, with another {', '.join(other)}."
        )
    network = folded(keras.models.load_model(weights, compile=False))
    inputs = keras.Input((recipe.side, recipe.side, recipe.channels))
    images = keras.layers.Resizing(card.side, card.side)(inputs)
    if recipe.channels != card.channels:
        # A film's channels are equal.
        images = keras.layers.Concatenate()([images[..., :1]] * card.channels)
    logits = network(images, training=False)
    answers = keras.Model(inputs, keras.layers.Rescaling(1 / card.temperature)(logits), name="teacher")
    answers.trainable = False
    return answers

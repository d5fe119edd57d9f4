"""Learning from a better model: its answers on the very images that the network is shown, augmentation included, beside
the labels (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent"). A stage may add what
the first teacher sees on the way to its answer (Romero et al. 2015, "FitNets: hints for thin deep nets"): a network
from random weights then learns features that ImageNet's photographs have formed, not one number per film alone.

Several teachers answer with the mean of their calibrated logits. Each must have been kept from the images that its
pupil validates and reports on (train/leaks.py), so all have the same split.
"""

import keras
from keras import ops

from model_zoo.folding import folded
from model_zoo.registry import open_export
from train.augment import RandomNoise
from train.recipe import Recipe, completed

# The teacher's answer counts this many times as much as the label.
WEIGHT = 2.0


class AtInference(keras.layers.Layer):
    """The outputs, as a list, of a network that is trained, inside one that is being trained. Calling it with
    training=False would not do: the keras.Model around it overrides that, and its dropout would be on."""

    def __init__(self, network: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def call(self, inputs):
        return keras.tree.flatten(self.network(inputs, training=False))


class Imitation(keras.layers.Layer):
    """Passes logits (n, 1) on; in training it adds WEIGHT times their cross-entropy to the teacher's probabilities."""

    def call(self, logits, answers, training=False):
        if training:
            gap = ops.binary_crossentropy(ops.sigmoid(answers), logits, from_logits=True)
            self.add_loss(WEIGHT * ops.mean(gap))
        return logits


class Hints(keras.layers.Layer):
    """Passes logits (n, 1) on; in training it adds, for each pair of maps, the share of the teacher's variance that a
    linear function of the pupil's channels, learnt beside, leaves unexplained. The maps, (n, rows, columns, channels),
    may differ in all but n; the teacher's are brought to the pupil's rows and columns."""

    def build(self, logits_shape, found_shape, wanted_shape):
        self.projections = [keras.layers.Dense(shape[-1]) for shape in wanted_shape]
        for projection, shape in zip(self.projections, found_shape, strict=True):
            projection.build(shape)

    def call(self, logits, found, wanted, training=False):
        if training:
            for projection, own, its in zip(self.projections, found, wanted, strict=True):
                its = ops.image.resize(its, own.shape[1:3])
                spread = its - ops.mean(its, axis=(0, 1, 2), keepdims=True)
                self.add_loss(ops.mean(ops.square(its - projection(own))) / ops.mean(ops.square(spread)))
        return logits


def pupil(network: keras.Model, recipe: Recipe, hints: tuple[tuple[str, str], ...], images, finish: keras.layers.Layer):
    """The logits, (n, 1), of a network that learns from its recipe's teachers.

    hints: pairs of one of the network's layers and one of the first teacher's, whose maps it learns too. images: what
    all see, (n, side, side, channels) in 0..255. finish: applied to the logits. Errors as for answers_of.
    """
    if not hints:
        return Imitation()(finish(network(images)), answers_of(recipe, network.dtype_policy)(images))
    own, its = zip(*hints, strict=True)
    found = keras.Model(network.input, [network.output, *(network.get_layer(name).output for name in own)])(images)
    wanted = answers_of(recipe, network.dtype_policy, its)(images)
    return Hints()(Imitation()(finish(found[0]), wanted[0]), found[1:], wanted[1:])


def answers_of(
    recipe: Recipe, precision: str | keras.DTypePolicy = "float32", maps: tuple[str, ...] = ()
) -> keras.Model:
    """The recipe's teachers as one frozen keras.Model: their pupil's input, (n, side, side, channels) in 0..255, to the
    mean of their calibrated logits, (n, 1), and, where layers of the first are named in maps, to a list of these and
    the layers' outputs.

    Their dropout is off at all times; the noise that noise_for_teachers asks for is added while a pupil is trained.
    precision: what their convolutions compute in, as fit's; all else is float32, in which depthwise convolutions are
    faster on a CPU.
    Raises ExportError or CardError for a teacher that cannot be used.
    """
    inputs = keras.Input((recipe.side, recipe.side, recipe.channels))
    first, *others = recipe.teachers
    logits, *shown = _answers(first, recipe, precision, maps, inputs)
    if others:
        theirs = [_answers(other, recipe, precision, (), inputs)[0] for other in others]
        logits = keras.layers.Average()([logits, *theirs])
    answers = keras.Model(inputs, [logits, *shown] if maps else logits, name="teacher")
    answers.trainable = False
    return answers


def _answers(teacher: str, recipe: Recipe, precision: str | keras.DTypePolicy, maps: tuple[str, ...], inputs) -> list:
    """One teacher's calibrated logits for its pupil's input, and the outputs of its layers named in maps."""
    export = open_export(teacher)
    weights = export.verified_model_path()
    card = export.card
    network = folded(keras.models.load_model(weights, compile=False))
    for layer in network.layers:
        if type(layer) is keras.layers.Conv2D:
            layer.dtype_policy = precision
    images = keras.layers.Resizing(card.side, card.side)(inputs)
    if recipe.channels != card.channels:
        # A film's channels are equal.
        images = keras.layers.Concatenate()([images[..., :1]] * card.channels)
    if recipe.noise_for_teachers:
        images = RandomNoise(255 * completed(card.recipe)["augmentation"]["noise"], recipe.run_seed)(images)
    seen = keras.Model(network.input, [network.output, *(network.get_layer(name).output for name in maps)])
    logits, *outputs = AtInference(seen)(images)
    return [keras.layers.Rescaling(1 / card.temperature)(logits), *outputs]

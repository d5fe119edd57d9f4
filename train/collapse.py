"""Why a pre-trained backbone can end up saying pneumonia for everything: `python -m train.collapse --weights FILE`.

A published comparison reports accuracies of 0.719 and 0.728 and macro recalls of 0.49 and 0.50 for InceptionResNetV2
and MobileNetV2 on a random quarter of the Kermany training images: what a network reaches that gives one answer to
every image. This command looks for the cause with MobileNetV2, whose ImageNet weights are small: it changes one thing
at a time and writes docs/backbones.md. Two to five minutes on two cores. Needs chest_xray/ under LUNGLENS_DATA.
"""

import argparse
import sys

import keras
import numpy as np
from sklearn.metrics import accuracy_score, recall_score

from cases.collections import open_collection
from cases.settings import PROJECT_ROOT
from model_zoo.files import replace_text
from train.answers import answered
from train.data import ImageSet, development_entries, load_images, random_split
from train.results import table

PAGE = PROJECT_ROOT / "docs" / "backbones.md"
SIDE, TRAINING_IMAGES, BATCH = 96, 1500, 32
SCALINGS = {
    "-1 to 1, as the weights expect": lambda images: images / 127.5 - 1,
    "0 to 1": lambda images: images / 255,
    "0 to 255": lambda images: images,
}
RATES = (1e-3, 1e-2, 1e-1)
STEPS = (5, 50, 150)

_TEXT = """# Backbones that give one answer to everything

Written by `python -m train.collapse`.

A conference paper that compares backbones on a random quarter of the training images reports an accuracy of 0.944 for
VGG16, but 0.719 for InceptionResNetV2 and 0.728 for MobileNetV2, with macro recalls of 0.49 and 0.50. On the quarter
that is used here {share:.1%} of the images are pneumonias, so that a network which says pneumonia for everything has an
accuracy of {share:.3f} and a macro recall of 0.500. Those networks had learnt nothing, or something went wrong between
learning and being asked.

The paper's code is not public, and ImageNet's InceptionResNetV2 could not be had here. What follows was measured with
ImageNet's MobileNetV2 at {side} px, {training:,} training images, batches of {batch}, dense layers of 128 and 64 and
Adam; one thing was changed at a time. A row whose share is near 0 or 1 gave one answer to nearly everything.

## A frozen backbone, ten epochs of its head

{frozen}
The backbone's knowledge survives pixels of the wrong range. One combination ends in one answer, and so in the figures
that always saying pneumonia has here, near the paper's: a high rate on the large features of raw pixels. A likely
reason is that the first steps overshoot, and that dense layers with ReLU which were pushed below zero never come back.

## All layers unfrozen, a rate of 1e-3

A network with batch normalisation has two ways to compute: with the statistics of the batch, as it does while it
learns, and with running averages of them, as it does when it is asked. Keras's MobileNetV2 lets each step contribute a
thousandth to those averages (InceptionResNetV2's a hundredth). VGG16 has no batch normalisation.

{unfrozen}
Where the two rows of one number of steps are far apart, the weights are not to blame: the running averages describe
the network as it was before. After 150 steps they make it say normal for nearly everything. Averages that move faster,
or leaving the normalisation frozen, would cure that. These are single runs; repeated, the rows of few steps came out
quite differently.
"""


def measure(weights: str) -> tuple[list, list, float]:
    """(rows of the first table, rows of the second, share of pneumonias)."""
    collection = open_collection("chest_xray")
    rest, quarter = random_split(development_entries(collection), 0.25, seed=0)
    chosen = np.random.default_rng(0).permutation(len(rest))[:TRAINING_IMAGES]
    training = load_images(collection, [rest[i] for i in chosen], SIDE, 3)
    # Mixed, because a batch of one class has other statistics than those that were learnt from.
    mixed = np.random.default_rng(1).permutation(len(quarter))
    asked = load_images(collection, [quarter[i] for i in mixed], SIDE, 3)
    frozen = [
        [scaling, f"{rate:g}", *_figures(_frozen(weights, scale, rate, training, asked), asked)]
        for scaling, scale in SCALINGS.items()
        for rate in RATES
    ]
    unfrozen = [
        [str(steps), statistics, *_figures(logits, asked)]
        for steps in STEPS
        for statistics, logits in _unfrozen(weights, steps, training, asked).items()
    ]
    return frozen, unfrozen, float(asked.labels.mean())


def _head(x):
    for neurons in (128, 64):
        x = keras.layers.Dense(neurons, activation="relu")(x)
    return keras.layers.Dense(1)(x)


def _compile(network: keras.Model, rate: float) -> None:
    network.compile(keras.optimizers.Adam(rate), keras.losses.BinaryCrossentropy(from_logits=True))


def _backbone(weights: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    shape = (SIDE, SIDE, 3)
    return keras.applications.MobileNetV2(include_top=False, weights=weights, input_shape=shape, pooling="avg")


def _frozen(weights: str, scale, rate: float, training: ImageSet, asked: ImageSet) -> np.ndarray:
    backbone = _backbone(weights)
    learnt, new = (
        backbone.predict(scale(part.images.astype(np.float32)), batch_size=64, verbose=0) for part in (training, asked)
    )
    inputs = keras.Input(learnt.shape[1:])
    head = keras.Model(inputs, _head(inputs))
    _compile(head, rate)
    head.fit(learnt, training.labels[:, None], BATCH, epochs=10, verbose=0)
    return head.predict(new, verbose=0)[:, 0]


def _unfrozen(weights: str, steps: int, training: ImageSet, asked: ImageSet) -> dict[str, np.ndarray]:
    backbone = _backbone(weights)
    network = keras.Model(backbone.input, _head(backbone.output))
    _compile(network, 1e-3)
    scale = SCALINGS["-1 to 1, as the weights expect"]
    places = np.resize(np.arange(len(training.labels)), steps * BATCH)
    network.fit(scale(training.images[places].astype(np.float32)), training.labels[places, None], BATCH, verbose=0)
    batches = [scale(asked.images[i : i + 64].astype(np.float32)) for i in range(0, len(asked.images), 64)]
    ways = {"running averages": False, "the batch's own": True}
    return {
        name: np.concatenate([np.asarray(network(batch, training=way))[:, 0] for batch in batches])
        for name, way in ways.items()
    }


def _figures(logits: np.ndarray, asked: ImageSet) -> list[str]:
    said = logits > 0
    accuracy = accuracy_score(asked.labels, said)
    recall = recall_score(asked.labels, said, average="macro")
    return [f"{accuracy:.3f}", f"{recall:.3f}", f"{said.mean():.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.collapse", description=__doc__)
    parser.add_argument("--weights", default="imagenet", help="a file of MobileNetV2's weights (default: download)")
    options = parser.parse_args()
    frozen, unfrozen, share = measure(options.weights)
    figures = ["accuracy", "macro recall", "share said pneumonia"]
    page = _TEXT.format(
        share=share,
        side=SIDE,
        training=TRAINING_IMAGES,
        batch=BATCH,
        frozen=table(["pixels", "rate", *figures], frozen),
        unfrozen=table(["steps", "statistics", *figures], unfrozen),
    )
    replace_text(PAGE, page)
    print(page)


if __name__ == "__main__":
    sys.exit(answered(main))

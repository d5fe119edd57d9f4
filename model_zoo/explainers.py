"""Ways to ask a model where it looked, one function and one entry of EXPLAINERS each.

A method takes an engine, one model input, float32 (side, side, channels), 0..255, and a sign: 1 explains the logit, so
what speaks for PNEUMONIA, and -1 the negated logit, so what speaks for NORMAL. It returns a raw map, float32 (rows,
columns), >= 0, not normalised per image, at the resolution that it works at: the heatmap layer's or the input's. An
all-zero map means that the method finds nothing that speaks for that direction.

Grad-CAM is the engine's. Grad-CAM++ and LayerCAM are tf-keras-vis's, without its normalisation. A call of it rebuilds
the model that it is given, which costs 10 to 45 passes for a whole network; so it gets the head only, whose input
is the heatmap layer's output: the same map for a pass through the features and some milliseconds. Score-CAM and
SmoothGrad follow tf-keras-vis in other code, for the reasons that stand there. tests/test_explainers.py compares all
that it has; augmented Grad-CAM and occlusion it has not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import tensorflow as tf
from scipy.ndimage import zoom

from model_zoo.engine import DIRECTIONS, Engine
from model_zoo.likeness import moved
from model_zoo.methods import TITLES
from model_zoo.overlay import enlarged

# After the engine, which sets Keras's backend.
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus  # isort: skip
from tf_keras_vis.layercam import Layercam  # isort: skip

# How far augmented Grad-CAM moves the film along each axis, in cells of the heatmap. On 60 phantoms outside the test
# split, fewer or nearer places, or no mirror images, had no better pointing game for three of four networks.
CELL_SHIFTS = (-0.8, -0.4, 0.0, 0.4, 0.8)
# Score-CAM's time grows with the maps it tries; `resnet50-bn` has 2,048.
SCORECAM_MAPS = 64
SMOOTHGRAD_COPIES, SMOOTHGRAD_NOISE = 16, 0.2
# Occlusion: the patch's side as a share of the input's; it moves by half of its side.
PATCH_SHARE, GREY = 6, 128
# Images in a pass of those methods that need many.
BATCH = 8

Method = Callable[[Engine, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Explainer:
    """A method with what to say of it.

    explanation: one sentence on what it does. source: who published it. passes: how many images the engine is asked
    about for one map.
    """

    title: str
    explanation: str
    source: str
    method: Method
    passes: Callable[[Engine], int] = lambda engine: 1

    def __call__(self, engine: Engine, image: np.ndarray, direction: str) -> np.ndarray:
        """The raw map of one model input, (side, side, channels), 0..255, for one of DIRECTIONS.

        Raises ValueError for another direction or shape, and for pixels that are no finite numbers.
        """
        if direction not in DIRECTIONS:
            raise ValueError(f"Expected a direction of {', '.join(DIRECTIONS)}. Received: {direction!r}.")
        card = engine.export.card
        expected = (card.side, card.side, card.channels)
        image = np.asarray(image, np.float32)
        if image.shape != expected:
            raise ValueError(f"Expected one model input of shape {expected}. Received: {image.shape}.")
        if missing := int((~np.isfinite(image)).sum()):
            raise ValueError(
                f"Expected a gray value for every pixel. Received: {missing} of {image.size} values that are "
                "missing (NaN) or infinite."
            )
        return self.method(engine, image, 1 if direction == "pneumonia" else -1)


def gradcam(engine: Engine, image: np.ndarray, sign: int) -> np.ndarray:
    return np.maximum(sign * engine.explain(image[np.newaxis])[0].signed_map, 0)


def gradcam_plus_plus(engine: Engine, image: np.ndarray, sign: int) -> np.ndarray:
    """tf-keras-vis multiplies its map by exp(score), which the maps of two images could not be compared for, and which
    overflows. The score here has the logit's gradient and the value 0, so that this factor is 1."""
    return _by_tf_keras_vis(GradcamPlusPlus, engine, image, lambda y: sign * (y[:, 0] - tf.stop_gradient(y[:, 0])))


def layercam(engine: Engine, image: np.ndarray, sign: int) -> np.ndarray:
    return _by_tf_keras_vis(Layercam, engine, image, lambda y: sign * y[:, 0])


def _by_tf_keras_vis(kind: type, engine: Engine, image: np.ndarray, score: Callable) -> np.ndarray:
    cam = kind(engine.head)(
        score,
        engine.feature_maps(image[np.newaxis]),
        penultimate_layer=engine.head.layers[0],
        # It would look for a convolution before that.
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    return np.asarray(cam, np.float32)[0]


def augmented_gradcam(engine: Engine, image: np.ndarray, sign: int) -> np.ndarray:
    """The mean of Grad-CAM over copies of the image, moved by parts of a cell and mirrored, each map moved and mirrored
    back, at the input's resolution: what one grid of cells blurs, another one parts.

    The paper also turns its copies, and joins their maps by super-resolution with a total variation term, whose weights
    would have to be chosen for each network; a mean needs none.
    """
    cell = len(image) / engine.body.output_shape[1]
    places = [round(share * cell) for share in CELL_SHIFTS]
    copies = list(product(places, places, (1, -1)))
    images = np.stack([moved(image, down, right)[:, ::side] for down, right, side in copies])
    maps = in_batches(lambda some: np.stack([one.signed_map for one in engine.explain(some)]), images)
    large = (enlarged(one, image.shape[:2]) for one in maps)
    back = [moved(one[:, ::side], -down, -right) for one, (down, right, side) in zip(large, copies, strict=True)]
    return np.maximum(sign * np.mean(back, axis=0), 0).astype(np.float32)


def scorecam(engine: Engine, image: np.ndarray, sign: int) -> np.ndarray:
    """The sum of the feature maps, each weighted by the model's probability for the image seen through it, which is the
    image times that map, enlarged and stretched to 0..1. Of many maps, the SCORECAM_MAPS that vary most are tried.

    As tf-keras-vis does it (its max_N) and the paper does not: no baseline is subtracted. tf-keras-vis's own takes the
    softmax of the outputs, which is 1 for a lone logit whatever the image is; here it is the calibrated probability.
    """
    maps = engine.feature_maps(image[np.newaxis])[0]
    strongest = np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:SCORECAM_MAPS]
    maps = maps[:, :, strongest].transpose(2, 0, 1)
    factors = np.divide(image.shape[:2], maps.shape[1:])
    masks = np.stack([zoom(one, factors, order=1, mode="nearest") for one in maps])
    low, high = masks.min(axis=(1, 2), keepdims=True), masks.max(axis=(1, 2), keepdims=True)
    masks = (masks - low) / (high - low + 1e-7)
    probabilities = in_batches(engine.scores, image * masks[..., np.newaxis])
    weights = probabilities if sign > 0 else 1 - probabilities
    return np.maximum(np.tensordot(weights, maps, 1), 0).astype(np.float32)


def smoothgrad(engine: Engine, image: np.ndarray, sign: int) -> np.ndarray:
    """How much a brighter pixel speaks for the direction: the gradient, averaged over copies with noise of
    SMOOTHGRAD_NOISE of the image's range, summed over the channels (all are the same gray), negative values left out.

    tf-keras-vis draws its noise from NumPy's global generator, which visitors share; here an image has the same map
    each time. By default it takes the gradient's size, which is the same for both directions.
    """
    deviation = SMOOTHGRAD_NOISE * (image.max() - image.min())
    noise = np.random.default_rng(0).normal(0, deviation, (SMOOTHGRAD_COPIES, *image.shape))
    gradients = in_batches(engine.input_gradients, image + noise)
    return np.maximum(sign * gradients.mean(axis=0).sum(axis=-1), 0).astype(np.float32)


def occlusion(engine: Engine, image: np.ndarray, sign: int) -> np.ndarray:
    """How far the logit drops, averaged over all places of a gray patch that hide the pixel; rises are left out.

    Drops below a ten-thousandth of a logit are rounding, and count as none.
    """
    patch, starts = _patch_places(len(image))
    places = list(product(starts, starts))
    images = np.repeat(image[np.newaxis], 1 + len(places), axis=0)
    for occluded, (top, left) in zip(images[1:], places, strict=True):
        occluded[top : top + patch, left : left + patch] = GREY
    logits = in_batches(engine.logits, images)
    drops = np.round(sign * (logits[0] - logits[1:]), 4)
    total, hidden = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for drop, (top, left) in zip(drops, places, strict=True):
        total[top : top + patch, left : left + patch] += drop
        hidden[top : top + patch, left : left + patch] += 1
    return np.maximum(total / hidden, 0).astype(np.float32)


def _patch_places(side: int) -> tuple[int, list[int]]:
    """The patch's side, and where it begins along one axis: every half patch, and at the far border."""
    patch = max(1, side // PATCH_SHARE)
    return patch, [*range(0, side - patch, max(1, patch // 2)), side - patch]


def in_batches(ask: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """What an engine's method answers about a stack of images, asked about BATCH at a time."""
    return np.concatenate([ask(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])


EXPLAINERS: dict[str, Explainer] = {
    "gradcam": Explainer(
        TITLES["gradcam"],
        "Adds up the last feature maps, each weighted by how much it moves the model, for or against.",
        "Selvaraju et al. 2017",
        gradcam,
    ),
    "gradcam++": Explainer(
        TITLES["gradcam++"],
        "Grad-CAM that leaves out whatever speaks against, so that several spots can stay in sight.",
        "Chattopadhay et al. 2018",
        gradcam_plus_plus,
    ),
    "layercam": Explainer(
        TITLES["layercam"],
        "Weights each spot of each feature map by itself, which keeps more detail.",
        "Jiang et al. 2021",
        layercam,
    ),
    "augmented": Explainer(
        TITLES["augmented"],
        "Averages Grad-CAM over copies of the film, moved by less than a cell and mirrored: a coarse map sharpens.",
        "Morbidelli et al. 2020",
        augmented_gradcam,
        lambda engine: 2 * len(CELL_SHIFTS) ** 2,
    ),
    "scorecam": Explainer(
        TITLES["scorecam"],
        "Lets the model see the film through one feature map at a time, and weights the map by its answer.",
        "Wang et al. 2020",
        scorecam,
        lambda engine: 1 + min(SCORECAM_MAPS, engine.body.output_shape[-1]),
    ),
    "smoothgrad": Explainer(
        TITLES["smoothgrad"],
        "Asks which pixels would move the model if they were brighter, averaged over copies of the film with noise.",
        "Smilkov et al. 2017",
        smoothgrad,
        lambda engine: SMOOTHGRAD_COPIES,
    ),
    "occlusion": Explainer(
        TITLES["occlusion"],
        "Slides a gray patch over the film and notes where the model misses what is hidden.",
        "Zeiler and Fergus 2014",
        occlusion,
        lambda engine: 1 + len(_patch_places(engine.export.card.side)[1]) ** 2,
    ),
}

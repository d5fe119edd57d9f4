"""Validation films made harder, the same way each time: a stand-in for films from elsewhere, to judge networks by.

Every kind of stress takes images uint8 (n, side, side, 1) and lung masks of the same shape (0 outside, 255 inside, 0
everywhere where none is known), and returns images like them. What it does to an image depends on its place alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import keras
import numpy as np
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from train import lung_lesson
from train.calibrate import fit_calibration
from train.data import ImageSet
from train.recipe import Recipe

# How far: within what keeps a film readable, as train.recipe.HARD_AUGMENTATION.
_GAMMA, _CONTRAST, _ASPECT, _FRAME, _BLUR, _MARGIN = 0.6, (0.6, 1.4), (0.8, 1.25), 0.08, 0.012, 0.05


def exposed(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Every other film brighter, the rest darker."""
    exponents = np.exp(_alternating(-_GAMMA, _GAMMA, len(images)))
    return (255 * (images / 255) ** exponents).astype(np.uint8)


def contrasted(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Every other film flatter around its mean, the rest steeper."""
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return np.clip(mean + _alternating(*_CONTRAST, len(images)) * (images - mean), 0, 255).astype(np.uint8)


def squeezed(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Every other film wider than it is, and so cut left and right, the rest narrower, between black margins."""
    return _warped(images, lambda i: (_ASPECT[i % 2], 1.0))


def cropped(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Every other film seen from nearer, the rest from further away."""
    return _warped(images, lambda i: (_ASPECT[i % 2],) * 2)


def blurred(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    sigma = _BLUR * images.shape[1]
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma)[..., np.newaxis] for image in images])


def without_borders(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """A frame in the film's mean gray, which covers most side markers."""
    width = round(_FRAME * images.shape[1])
    framed = np.broadcast_to(images.mean(axis=(1, 2, 3), keepdims=True), images.shape).astype(np.uint8)
    framed[:, width:-width, width:-width] = images[:, width:-width, width:-width]
    return framed


def lungs_alone(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """All but the lungs and a margin in the lungs' mean gray; a film without a known mask stays as it is."""
    side = images.shape[1]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(_MARGIN * side) + 1,) * 2)
    alone = images.copy()
    for image, mask in zip(alone, masks[..., 0] > 127, strict=True):
        if mask.any():
            image[cv2.dilate(mask.astype(np.uint8), kernel) == 0] = image[mask].mean()
    return alone


STRESSES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "exposure": exposed,
    "contrast": contrasted,
    "aspect ratio": squeezed,
    "crop": cropped,
    "blur": blurred,
    "borders removed": without_borders,
    "lungs alone": lungs_alone,
}


# Candidates for choosing by, each the better the higher: they look at validation images alone.
CRITERIA = {
    "plain AUROC": "AUROC on the validation films as they are",
    "plain likelihood": "minus their log loss, calibrated on them",
    "stress AUROC": "mean AUROC over the kinds of stress",
    "stress likelihood": "minus the mean log loss under stress, calibrated on the plain films",
    "lungs alone AUROC": "AUROC on validation films of which only the lungs are left",
    "agreement": "minus the mean change of the calibrated probability under stress",
}


@dataclass(frozen=True)
class Judgement:
    """What validation films say of a network. criteria: CRITERIA's figures. plain: calibrated probabilities (n,) of the
    films as they are. probabilities: a function that gives those of other images (m, side, side, channels)."""

    criteria: dict[str, float]
    plain: np.ndarray
    probabilities: Callable[[np.ndarray], np.ndarray]


def stressed_films(recipe: Recipe, plain: ImageSet) -> dict[str, np.ndarray]:
    """The images of `plain` under each of STRESSES. Raises CollectionUnavailable without lung masks."""
    masked = lung_lesson.with_masks(recipe, plain).images
    return {name: stress(masked[..., :-1], masked[..., -1:]) for name, stress in STRESSES.items()}


def judged(network: keras.Model, plain: ImageSet, stressed: dict[str, np.ndarray]) -> Judgement:
    """plain: validation films, on which the network is calibrated. stressed: stressed_films of them."""

    def logits(images: np.ndarray) -> np.ndarray:
        return network.predict(images, batch_size=64, verbose=0)[:, 0].astype(np.float64)

    own, labels = logits(plain.images), plain.labels.astype(int)
    temperature, offset = fit_calibration(own, labels)

    def probabilities(images: np.ndarray) -> np.ndarray:
        return expit((logits(images) + offset) / temperature)

    p, under = expit((own + offset) / temperature), {name: probabilities(films) for name, films in stressed.items()}
    figures = (
        roc_auc_score(labels, p),
        -log_loss(labels, p),
        np.mean([roc_auc_score(labels, s) for s in under.values()]),
        -np.mean([log_loss(labels, s) for s in under.values()]),
        roc_auc_score(labels, under["lungs alone"]),
        -np.mean([np.abs(s - p).mean() for s in under.values()]),
    )
    return Judgement(dict(zip(CRITERIA, map(float, figures), strict=True)), p, probabilities)


def _alternating(first: float, second: float, count: int) -> np.ndarray:
    return np.where(np.arange(count) % 2, second, first)[:, np.newaxis, np.newaxis, np.newaxis]


def _warped(images: np.ndarray, factors: Callable[[int], tuple[float, float]]) -> np.ndarray:
    """Each image stretched about its middle by factors(place), (along x, along y), on black."""
    middle, size = (images.shape[1] - 1) / 2, images.shape[2:0:-1]
    warped = np.empty_like(images)
    for i, image in enumerate(images):
        x, y = factors(i)
        matrix = np.array([[x, 0, middle * (1 - x)], [0, y, middle * (1 - y)]])
        warped[i, ..., 0] = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    return warped

"""Validation films made harder, the same way each time: a stand-in for films from elsewhere.

Every kind takes images uint8 (n, side, side, 1) and lung masks of the same shape (0 outside, 255 inside, 0 everywhere
where none is known), and returns images like them. What a kind does to an image depends on its place alone.
"""

from collections.abc import Callable

import cv2
import numpy as np

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

"""How alike two maps are, for the checks that ask when a map should change and when it should not.

Likeness is Spearman's rank correlation over the pixels of the maps as they are painted, one of the measures of Adebayo
et al. 2018 ("Sanity Checks for Saliency Maps"). It asks where a map is strong and not how strong it is, and needs no
normalisation, which the structural similarity (SSIM) does: that would make two faint maps as unlike as their noise.
"""

import numpy as np
from scipy.stats import spearmanr

# The film moves by this share of its side, down or up and left or right; and its gray takes one of these powers.
SHIFT = 1 / 32
GAMMAS = (0.7, 1 / 0.7)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation, -1..1, of two maps of one shape; nan where one is the same everywhere."""
    if first.shape != second.shape:
        raise ValueError(f"Expected two maps of one shape. Received: {first.shape} and {second.shape}.")
    if not (np.ptp(first) and np.ptp(second)):
        return float("nan")
    return float(spearmanr(first.ravel(), second.ravel()).statistic)


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An image or map, (height, width, ...), moved by whole pixels; what comes into view repeats the border."""
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return image[rows][:, columns]


def likeness_when_moved(before: np.ndarray, after: np.ndarray, down: int, right: int) -> float:
    """likeness() of a film's map and the map of the film moved, after that is moved back.

    before, after: (height, width). Pixels as near to the border as the film was moved are left out: not all of them
    were in view both times.
    """
    rows, columns = (slice(abs(by), size - abs(by)) for by, size in zip((down, right), before.shape, strict=True))
    return likeness(before[rows, columns], moved(after, -down, -right)[rows, columns])


def exposed(image: np.ndarray, gamma: float) -> np.ndarray:
    """A model input, 0..255, as a film that was exposed longer or shorter: its gray to a power."""
    return (255 * (np.asarray(image, np.float32) / 255) ** gamma).astype(np.float32)

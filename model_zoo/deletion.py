"""Deletion and insertion (Petsiuk et al. 2018, "RISE"): do the spots that a map calls strong move the model?

Deletion blanks the film's cells, strongest first, and insertion brings them back onto a blurred film. The area under
the probability of pneumonia along the way is the measure: low for deletion, high for insertion, if the map is right
about the model. Neither asks whether the model is right about the film.

As in the paper, what is blanked takes the mean gray, here the film's own, and insertion begins blurred, so that no
sharp borders of gray speak for anything. The paper moves single pixels; here it is cells, so that coarse and fine maps
are asked the same question. NumPy and OpenCV only.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from model_zoo.overlay import enlarged

# The film has CELLS x CELLS cells, and the same number of them changes in each of STEPS.
CELLS, STEPS = 12, 6


def areas(
    scores: Callable[[np.ndarray], np.ndarray], image: np.ndarray, maps: Sequence[np.ndarray], seed: int
) -> list[tuple[float, float]]:
    """(deletion, insertion) of each map of one image, 0..1; nan for an empty map.

    scores: probabilities (n,) of a batch of model inputs. image: one of them, (side, side, channels), 0..255, all
    channels the same gray. maps: each (rows, columns), >= 0. seed: draws which of equally strong cells comes first.
    """
    film = np.asarray(image, np.float32)
    gray, blurred = np.full_like(film, film.mean()), _blurred(film)
    images = [film, gray, blurred]
    for heatmap in maps:
        rank = _rank(heatmap, film.shape[:2], seed)
        for step in range(1, STEPS):
            strongest = rank < step * CELLS**2 // STEPS
            images += [np.where(strongest, gray, film), np.where(strongest, film, blurred)]
    probabilities = np.asarray(scores(np.stack(images)), np.float64)
    at_film, at_gray, at_blurred = probabilities[:3]
    found = []
    for heatmap, between in zip(maps, probabilities[3:].reshape(len(maps), STEPS - 1, 2), strict=True):
        if heatmap.any():
            found.append((_area([at_film, *between[:, 0], at_gray]), _area([at_blurred, *between[:, 1], at_film])))
        else:
            found.append((np.nan, np.nan))
    return found


def _rank(heatmap: np.ndarray, size: tuple[int, int], seed: int) -> np.ndarray:
    """The place of each pixel's cell when cells are sorted by their mean strength: (height, width, 1), from 0."""
    cells = cv2.resize(enlarged(heatmap, size), (CELLS, CELLS), interpolation=cv2.INTER_AREA).ravel()
    ties = np.random.default_rng(seed).permutation(cells.size)
    rank = np.empty(cells.size, np.int32)
    rank[np.lexsort((ties, -cells))] = np.arange(cells.size)
    grid = rank.reshape(CELLS, CELLS)
    return cv2.resize(grid, size[::-1], interpolation=cv2.INTER_NEAREST)[..., np.newaxis]


def _blurred(film: np.ndarray) -> np.ndarray:
    """Blurred by a Gaussian whose standard deviation is a cell's side."""
    plane = cv2.GaussianBlur(np.ascontiguousarray(film[..., 0]), (0, 0), len(film) / CELLS)
    return np.repeat(plane[..., np.newaxis], film.shape[-1], axis=-1)


def _area(curve: Sequence[float]) -> float:
    """Under a curve from 0 to 1 of equal steps, by the trapezoid rule."""
    curve = np.asarray(curve)
    return float((curve[:-1] + curve[1:]).mean() / 2)

"""Images that show no chest, drawn by code or made from films, so that the lung-field network learns to find nothing.

Each maker takes a random generator and a film, uint8 (side, side), and returns uint8 (side, side).
"""

import cv2
import numpy as np


def not_a_chest(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """One of MAKERS at random."""
    return MAKERS[rng.integers(len(MAKERS))](rng, film)


def inverted(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    return 255 - film


def shuffled(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """The film cut into squares and put together wrongly: a film's grays without its anatomy."""
    n = int(rng.choice([2, 4, 8]))
    cell = len(film) // n
    tiles = film[: n * cell, : n * cell].reshape(n, cell, n, cell).swapaxes(1, 2).reshape(-1, cell, cell)
    tiles = np.stack([np.rot90(tile, rng.integers(4)) for tile in rng.permutation(tiles)])
    joined = tiles.reshape(n, n, cell, cell).swapaxes(1, 2).reshape(n * cell, n * cell)
    return cv2.resize(np.ascontiguousarray(joined), film.shape[::-1])


def document(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A page with lines of letters, dark on light or light on dark."""
    side = len(film)
    page = np.full((side, side), rng.integers(190, 256), np.uint8)
    height = int(rng.integers(6, 20))
    for y in range(height, side, int(1.6 * height)):
        text = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz     ABC0123456789"), 60))
        origin = (int(rng.integers(2, 20)), y)
        cv2.putText(page, text, origin, cv2.FONT_HERSHEY_SIMPLEX, height / 30, int(rng.integers(0, 90)), 1, cv2.LINE_AA)
    return page if rng.random() < 0.7 else 255 - page


def clouds(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """Noise with the spectrum of a photograph: power falls with frequency (Field 1987)."""
    side = len(film)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) + 1 / side
    spectrum = np.fft.rfft2(rng.normal(size=(side, side))) / frequency ** rng.uniform(0.7, 1.8)
    return _full_range(np.fft.irfft2(spectrum, (side, side)))


def shapes(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """Overlapping ellipses and rectangles, blurred a little: things on a ground, as photographs have."""
    side = len(film)
    picture = np.full((side, side), rng.integers(256), np.uint8)
    for _ in range(rng.integers(2, 14)):
        centre = tuple(int(v) for v in rng.integers(0, side, 2))
        axes = tuple(int(v) for v in rng.integers(side // 16, side // 2, 2))
        gray = int(rng.integers(256))
        if rng.random() < 0.5:
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, gray, -1)
        else:
            cv2.rectangle(picture, centre, (centre[0] + axes[0], centre[1] + axes[1]), gray, -1)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 4))


def blank(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """One gray or a slope of grays, with or without grain."""
    side = len(film)
    start, end = rng.uniform(0, 255, 2)
    slope = np.linspace(start, end if rng.random() < 0.5 else start, side)
    picture = np.broadcast_to(slope, (side, side)) + rng.normal(size=(side, side)) * rng.choice([0, 2, 30])
    return np.rot90(np.clip(picture, 0, 255).astype(np.uint8), rng.integers(4)).copy()


def close_up(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A corner of a film, enlarged and turned: bones and soft tissue, no pair of lungs."""
    side = len(film)
    part = side // 4
    y, x = rng.choice([0, side - part], 2)
    return np.rot90(cv2.resize(film[y : y + part, x : x + part], (side, side)), rng.integers(4)).copy()


MAKERS = (inverted, shuffled, document, clouds, shapes, blank, close_up)


def _full_range(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return np.rint(255 * (values - low) / (high - low)).astype(np.uint8)

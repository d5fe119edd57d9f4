"""Parts of a radiograph, and radiographs with a part blanked: what is left of a model's answer shows what it came from.

A part is filled smoothly from what surrounds it, because a black hole would be a thing of its own on a film. What was
to be seen in it is gone; its outline stays, and so does the rough gray of the surroundings. NumPy and OpenCV only.
"""

from functools import cache

import cv2
import numpy as np

# What may be blanked, in the order in which it is shown.
PARTS = ("marker", "borders", "outside", "lungs")
# Parts are found on a film of so many pixels a side, whatever its own size is.
SIDE = 224
# Width of each border, as a share of the film's side.
BORDER = 0.08

# All in pixels of a film of SIDE, or in gray levels of 255. They were set by eye on training films.
_STROKE = 9
_BRIGHTER = 40
_SMALLEST, _LARGEST = (3, 6), (24, 34)
_CLOSE, _MARGIN = 2, 3
_UNIFORM = 0.85
_LETTER_LIKE = 0.4
# Half the width of the band in the middle, as a share of the side, where spine, jaw and teeth are and no marker is.
_MIDDLE = 0.14
_LETTERS = "RLAP"
_LETTER_SIZE = (12, 16)


def parts(pixels: np.ndarray, lungs: np.ndarray) -> dict[str, np.ndarray]:
    """Each of PARTS as bool (SIDE, SIDE). "marker" may hold nothing; "borders" leaves the lungs out; "outside" is all
    but the lungs; "lungs" has a rim of _MARGIN around them, because a mask that is drawn a little too tight would leave
    their gray to fill them with.

    pixels: uint8 (height, width). lungs: bool (height, width), of any size. Raises ValueError where they are empty or
    fill the film, since nothing would be left to fill from.
    """
    lungs = cv2.resize(lungs.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0
    if not 0 < lungs.mean() < 1:
        raise ValueError(f"Expected lungs on a part of the film. Received: a mask of {lungs.mean():.0%} of it.")
    width = round(BORDER * SIDE)
    borders = np.ones((SIDE, SIDE), bool)
    borders[width:-width, width:-width] = False
    film = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return {
        "marker": side_markers(film, lungs),
        "borders": borders & ~lungs,
        "outside": ~lungs,
        "lungs": _widened(lungs, _MARGIN),
    }


def side_markers(film: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Where the lead letters are that tell right from left: bool (SIDE, SIDE), boxes with a margin.

    A letter is bright strokes thinner than _STROKE (a white top-hat) that hang together, of a letter's size; beside the
    middle, apart from the lungs and not below them; on ground that is darker almost everywhere; and more like a drawn
    R, L, A or P than _LETTER_LIKE (correlation of gray levels). film: uint8 (SIDE, SIDE). lungs: bool, the same.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE, _STROKE))
    strokes = cv2.morphologyEx(film, cv2.MORPH_TOPHAT, kernel) >= _BRIGHTER
    near = _widened(lungs, _CLOSE)
    lowest = np.flatnonzero(lungs.any(axis=1))[-1]
    count, labels, boxes, centroids = cv2.connectedComponentsWithStats(strokes.astype(np.uint8), connectivity=8)
    found = np.zeros(film.shape, bool)
    for part in range(1, count):
        x, y, width, height = (int(v) for v in boxes[part, :4])
        across, down = centroids[part]
        own = labels == part
        if (
            _SMALLEST[0] <= width <= _LARGEST[0]
            and _SMALLEST[1] <= height <= _LARGEST[1]
            and 0.7 <= height / width <= 4
            and abs(across / SIDE - 0.5) >= _MIDDLE
            and down <= lowest
            and not (own & near).any()
        ):
            rows, columns = (
                slice(max(0, y - _MARGIN), y + height + _MARGIN),
                slice(max(0, x - _MARGIN), x + width + _MARGIN),
            )
            ground = np.ones(film.shape, bool)
            ground[y : y + height, x : x + width] = False
            around, bright = film[rows, columns][ground[rows, columns]], film[own].mean()
            on_dark = bright - np.median(around) >= _BRIGHTER and (around < bright - _BRIGHTER).mean() >= _UNIFORM
            if on_dark and _letter_likeness(film[y : y + height, x : x + width]) >= _LETTER_LIKE:
                found[rows, columns] = True
    return found


def blanked(pixels: np.ndarray, part: np.ndarray) -> np.ndarray:
    """pixels, uint8 (height, width), with a part, bool of any size, filled from its surroundings.

    The filling is the pull-push of Gortler et al. 1996 (The Lumigraph): what is known is averaged over ever larger
    neighbourhoods, and each hole takes the smallest ones that know anything. Raises ValueError for a part that leaves
    nothing.
    """
    height, width = pixels.shape
    hole = cv2.resize(part.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    if hole.all():
        raise ValueError("Expected a part that leaves something of the film. Received: all of it.")
    values, known = pixels.astype(np.float32), (~hole).astype(np.float32)
    levels = [(values, known)]
    while not known.all():
        weighted, known = cv2.pyrDown(values * known), cv2.pyrDown(known)
        values = weighted / np.maximum(known, np.finfo(np.float32).tiny)
        # One known pixel of the four below is enough, so that a hole takes what is next to it.
        known = np.minimum(4 * known, 1)
        levels.append((values, known))
    filled = values
    for values, known in reversed(levels[:-1]):
        filled = values * known + cv2.pyrUp(filled, dstsize=known.shape[::-1]) * (1 - known)
    return np.where(hole, np.rint(np.clip(filled, 0, 255)).astype(np.uint8), pixels)


def _widened(mask: np.ndarray, rim: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0


def _letter_likeness(crop: np.ndarray) -> float:
    """The highest correlation with one of _letters(), -1..1."""
    resized = cv2.resize(crop, _LETTER_SIZE, interpolation=cv2.INTER_CUBIC).ravel()
    return float(np.corrcoef(resized, _letters())[0, 1:].max()) if np.ptp(resized) else -1.0


@cache
def _letters() -> np.ndarray:
    """Drawn letters, a row each, uint8 (letters, pixels): plain and with serifs, thin and bold."""
    rows = []
    for letter in _LETTERS:
        for font in (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX):
            for thickness in (6, 12):
                canvas = np.zeros((160, 160), np.uint8)
                cv2.putText(canvas, letter, (30, 120), font, 3.5, 255, thickness, cv2.LINE_AA)
                x, y, width, height = cv2.boundingRect(canvas)
                box = canvas[y : y + height, x : x + width]
                rows.append(cv2.resize(box, _LETTER_SIZE, interpolation=cv2.INTER_AREA).ravel())
    return np.stack(rows)

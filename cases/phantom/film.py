"""What the film adds to the patient: exposure, grain and lead letters."""

import cv2
import numpy as np

from cases.phantom.randomness import Stream

GLYPHS = {  # strokes in a box 0.7 wide and 1 high, y down
    "R": (((0, 1), (0, 0), (0.42, 0), (0.6, 0.1), (0.6, 0.42), (0.42, 0.52), (0, 0.52)), ((0.34, 0.52), (0.64, 1))),
    "L": (((0, 0), (0, 1), (0.58, 1)),),
    "A": (((0, 1), (0.32, 0), (0.64, 1)), ((0.12, 0.64), (0.52, 0.64))),
    "P": (((0, 1), (0, 0), (0.42, 0), (0.6, 0.1), (0.6, 0.42), (0.42, 0.52), (0, 0.52)),),
}
SUPERSAMPLING = 4


def exposed(gray: np.ndarray, exposure: float) -> np.ndarray:
    """Gray levels after a gamma curve: exposure -1 darkens, 1 brightens, black and white stay."""
    return 255 * np.power(np.clip(gray, 0, 255) / 255, 2.0 ** (-0.6 * exposure))


def grain(seed: int, size: int) -> np.ndarray:
    """Detector noise of unit variance for every pixel, slightly correlated as after a film's JPEG and resizing."""
    noise = Stream(seed, f"grain {size}").noise((size, size))
    return noise * 0.8 + cv2.GaussianBlur(noise, (0, 0), 0.8) * 0.9


def with_marker(gray: np.ndarray, seed: int, text: str) -> np.ndarray:
    """The film with lead letters near its upper left corner (the patient's right); an L goes to the other side."""
    if not text:
        return gray
    size = len(gray)
    stream = Stream(seed, "lead")
    height = stream.uniform(0.035, 0.075)
    width = 0.78 * height
    left = stream.choice((stream.uniform(0.0, 0.03), stream.uniform(0.02, 0.12)))
    if text == "L":
        left = 1 - left - width
    top = stream.uniform(0.03, 0.5)
    side = size * SUPERSAMPLING
    layer = np.zeros((side, side), np.uint8)
    thick = max(1, round(side * height * stream.uniform(0.1, 0.18)))
    for index, letter in enumerate(text):
        for stroke in GLYPHS[letter]:
            points = np.array(stroke) * height + (left + index * width, top)
            cv2.polylines(layer, [np.rint(points * side).astype(np.int32)], False, 255, thick, cv2.LINE_8)
    letters = cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA)
    letters = cv2.GaussianBlur(letters, (0, 0), 0.45 * size / 224).astype(np.float64) / 255
    lead = stream.uniform(205, 255)
    return gray + letters * np.maximum(lead - gray, 0)

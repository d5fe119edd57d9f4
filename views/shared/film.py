"""Radiographs as pictures for a screen: size, overlay, outline, legend. Arrays in, arrays out."""

import cv2
import numpy as np

from model_zoo.overlay import COLOUR_MAPS

# Longer side of a picture in the browser, in pixels: smaller films are enlarged, so that what is drawn on them is
# crisp, and larger ones are reduced, so that a visit is not a download of tens of megabytes.
SMALLEST, LARGEST = 512, 900


def for_screen(pixels: np.ndarray) -> np.ndarray:
    """uint8 (height, width) with its longer side between SMALLEST and LARGEST, aspect ratio kept."""
    height, width = pixels.shape
    longer = max(height, width)
    factor = min(max(longer, SMALLEST), LARGEST) / longer
    if factor == 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


def outlined(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """picture, uint8 (height, width) or (height, width, 3), in RGB with the border of mask (any size) drawn on it."""
    rgb = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else picture.copy()
    height, width = rgb.shape[:2]
    smooth = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    contours, _ = cv2.findContours((smooth > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(rgb, contours, -1, colour, thickness=2, lineType=cv2.LINE_AA)


def css_gradient(colour_map: str, stops: int = 12) -> str:
    """A colour map, from no to full strength, as a CSS gradient from left to right."""
    levels = np.linspace(0, 255, stops).astype(np.uint8)[np.newaxis]
    colours = cv2.applyColorMap(levels, COLOUR_MAPS[colour_map])[0, :, ::-1]
    return f"linear-gradient(to right, {', '.join(f'rgb({red}, {green}, {blue})' for red, green, blue in colours)})"

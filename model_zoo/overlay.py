"""Paint a heatmap over a radiograph. Cheap enough to run at each move of a slider; no model is involved."""

import cv2
import numpy as np

COLOUR_MAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "turbo": cv2.COLORMAP_TURBO,
    "jet": cv2.COLORMAP_JET,
}


def enlarged(heatmap: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (rows, columns) as float32 of size (height, width), bilinearly: what is painted is what is measured."""
    height, width = size
    return cv2.resize(np.asarray(heatmap, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def relative_strength(heatmap: np.ndarray, scale: float, size: tuple[int, int]) -> np.ndarray:
    """Resize a raw heatmap (rows, columns), >= 0, bilinearly to size (height, width), as shares of scale, 0..1.

    scale: the raw value that counts as full strength; larger values are cut off there.
    """
    return np.clip(enlarged(heatmap, size) / scale, 0, 1)


def overlay(pixels: np.ndarray, strength: np.ndarray, opacity: float, colour_map: str) -> np.ndarray:
    """Blend a heatmap over a radiograph.

    pixels: uint8 (height, width). strength: float (height, width), 0..1. opacity: 0..1, reached where strength is
    one half or more and fading out below, so that the film shows through where there is no evidence.
    Returns uint8 (height, width, 3), RGB. Raises ValueError for an unknown colour map.
    """
    if colour_map not in COLOUR_MAPS:
        raise ValueError(f"Expected a colour map of {', '.join(COLOUR_MAPS)}. Received: {colour_map!r}.")
    levels = np.round(strength * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, COLOUR_MAPS[colour_map]), cv2.COLOR_BGR2RGB)
    alpha = (opacity * np.clip(2 * strength, 0, 1))[:, :, np.newaxis]
    film = np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
    return np.round(film * (1 - alpha) + colours * alpha).astype(np.uint8)

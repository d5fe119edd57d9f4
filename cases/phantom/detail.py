"""What the modes of the anatomy are too coarse for: pulmonary vessels, lung texture, a stomach bubble."""

from functools import lru_cache

import cv2
import numpy as np

from cases.phantom.anatomy import AXIS, CANVAS, lung_edges, statistics, upsampled
from cases.phantom.randomness import Stream

# Hilum of each lung on the canvas and the directions its vessels leave in, degrees clockwise from the image's right.
HILA = {1: (117, 146, 95, 268), 2: (170, 138, -88, 85)}


def vessels(seed: int, name: str, scale: int, trunks: int = 10, generations: int = 5) -> np.ndarray:
    """A branching tree in each lung, float64 (CANVAS * scale, ...), 0..1, 1 in the middle of the widest vessels."""
    stream = Stream(seed, name)
    layer = np.zeros((CANVAS * scale, CANVAS * scale), np.uint8)
    for x, y, first, last in HILA.values():
        angle = np.radians(first + (last - first) * (np.arange(trunks) + stream.uniform(0.1, 0.9, (trunks,))) / trunks)
        start = np.stack([x + 5 * np.cos(angle), y + 14 * np.sin(angle)], 1) + 2 * stream.normal((trunks, 2))
        segments = []
        for generation in range(generations):
            length = 19 * 0.86**generation * stream.uniform(0.6, 1.3, angle.shape)
            bend = angle + np.radians(16) * stream.normal(angle.shape)
            middle = start + 0.5 * length[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
            end = middle + 0.5 * length[:, None] * np.stack([np.cos(bend), np.sin(bend)], 1)
            segments.append(np.stack([start, middle, end], 1))
            fork = np.radians(stream.uniform(10, 34, bend.shape))
            angle = np.concatenate([bend - fork * 0.6, bend + fork])
            start = np.concatenate([end, end])
        for generation, lines in reversed(list(enumerate(segments))):
            fixed = np.rint(((lines + 0.5) * scale - 0.5) * 16).astype(np.int32)
            width = max(1, round(scale * (2.6, 1.8, 1.3, 1, 1)[generation]))
            shade = (255, 205, 150, 105, 70)[generation]
            cv2.polylines(layer, list(fixed), False, shade, width, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(layer, (0, 0), 0.7 * scale).astype(np.float64) / 255


def rib_cage(seed: int, scale: int) -> np.ndarray:
    """What averaging wipes out of the ribs, gray levels, float64 (CANVAS * scale, ...).

    The front ends, which cross the back ones on their way down to the middle, and the overlapping loops that ribs make
    where they turn round the side of the chest.
    """
    stream = Stream(seed, "ribs")
    spacing, phase = stream.uniform(13.5, 17), stream.uniform(0, 15)
    slope, length = stream.uniform(0.35, 0.75), stream.uniform(38, 54)
    t = np.linspace(0, 1, 13)
    loops, fronts, margins = [], [], []
    for label, outwards in ((1, -1), (2, 1)):
        lateral = lung_edges(label)[1]
        top = (88 + phase + spacing * np.arange(9) + stream.uniform(-1.2, 1.2, (9,)))[:, None]
        y = top + 1.75 * spacing * t
        wall = np.interp(y, AXIS, lateral)
        loops += [np.stack([wall + outwards * (2.5 + bow * np.sin(np.pi * t)), y], 2) for bow in (2.6, -4.2)]
        reach = length * (0.55 + 0.45 * np.clip((top - 80) / 70, 0, 1))
        x = np.interp(top, AXIS, lateral) - outwards * reach * t
        y = top + slope * reach * (t + 0.35 * np.sin(np.pi * t))
        fronts.append(np.stack([x, y], 2)[:, :11])
        margins += [fronts[-1] + (0, half) for half in (-4, 4)]

    def draw(lines, width):
        fixed = np.rint(((np.concatenate(lines) + 0.5) * scale - 0.5) * 16).astype(np.int32)
        part = np.zeros((CANVAS * scale, CANVAS * scale), np.uint8)
        cv2.polylines(part, list(fixed), False, 255, max(1, round(width * scale)), cv2.LINE_AA, 4)
        return cv2.GaussianBlur(part, (0, 0), 0.8 * scale).astype(np.float64) / 255

    walls = stream.uniform(22, 40) * draw(loops, 1)
    return walls + stream.uniform(2, 6) * draw(fronts, 7) + stream.uniform(4, 9) * draw(margins, 1)


def texture(seed: int) -> np.ndarray:
    """Gaussian texture with the fitted deviation in each of three octaves, gray levels, float64 (CANVAS, CANVAS)."""
    stream = Stream(seed, "texture")
    total = np.zeros((CANVAS, CANVAS))
    for deviation, sigma in zip(statistics()["texture"], (0.0, 1.1, 2.2), strict=True):
        total += deviation * _octave(stream, sigma)
    return total


def _octave(stream: Stream, sigma: float) -> np.ndarray:
    """Band-passed noise of unit variance, on a grid as fine as the band needs, brought up to the canvas."""
    step = max(1, int(sigma))
    band = _band(stream.noise((CANVAS // step, CANVAS // step)), sigma / step) / _band_deviation(sigma / step)
    return upsampled(band) if step > 1 else band


def _band(noise: np.ndarray, sigma: float) -> np.ndarray:
    fine = cv2.GaussianBlur(noise, (0, 0), sigma) if sigma else noise
    return fine - cv2.GaussianBlur(noise, (0, 0), max(1.0, 2 * sigma))


@lru_cache(maxsize=8)
def _band_deviation(sigma: float) -> float:
    """Standard deviation that _band leaves of white noise: the norm of its impulse response."""
    impulse = np.zeros((65, 65))
    impulse[32, 32] = 1.0
    return float(np.sqrt(np.square(_band(impulse, sigma)).sum()))


def stomach_bubble(seed: int) -> np.ndarray | None:
    """Gas under the left dome in about every third film: gray levels to add (negative), or None."""
    stream = Stream(seed, "stomach")
    if stream.uniform() > 0.35:
        return None
    y, x = AXIS[:, None], AXIS[None]
    centre_x, centre_y = 186 + 9 * stream.normal(), 226 + 6 * stream.normal()
    radius_x, radius_y = stream.uniform(9, 22), stream.uniform(5, 13)
    tilt = np.radians(stream.uniform(-10, 35))
    along = (np.cos(tilt) * (x - centre_x) + np.sin(tilt) * (y - centre_y)) / radius_x
    across = (-np.sin(tilt) * (x - centre_x) + np.cos(tilt) * (y - centre_y)) / radius_y
    wobble = upsampled(stream.normal((24, 24)))
    depth = np.clip(1.25 - np.sqrt(along**2 + across**2) + 0.22 * wobble, 0, 0.5) * 2
    return -stream.uniform(14, 42) * depth

"""The patient: a chest drawn from the statistics in anatomy.npz (see train/anatomy.py for what is in it).

Two frames of coordinates. The *canvas*, CANVAS x CANVAS pixels, is the average chest: every organ has a fixed place
there, so vessels, opacities and textures are drawn on it. The *film* is what the detector shows: FILM units a side,
whatever its number of pixels. A Chest knows for each film pixel where on the canvas it looks.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from cases.phantom.randomness import Stream

FILM, CANVAS = 224, 288
MARGIN = (CANVAS - FILM) // 2
DOME_RIM = 1  # canvas pixels
FRAME = 5  # numbers of the frame: centre x, centre y, half width, half height, tilt of the midline (x per y)
AXIS = np.arange(CANVAS, dtype=float)
STATISTICS = Path(__file__).with_name("anatomy.npz")


def canvas_to_film(frame, reference) -> np.ndarray:
    """Affine (2, 3) that puts the canvas's average lungs where the frame says, in film units."""
    x, y, half_width, half_height, tilt = frame
    scale_x, scale_y = half_width / reference[2], half_height / reference[3]
    top = y - scale_y * (MARGIN + reference[1])
    left = x - scale_x * (MARGIN + reference[0]) + tilt * (top - FILM / 2)
    return np.array([[scale_x, tilt * scale_y, left], [0, scale_y, top]])


@lru_cache(maxsize=1)
def statistics() -> dict[str, np.ndarray]:
    """The fitted statistics as float64, modes scaled and flattened to (mode, pixels)."""
    with np.load(STATISTICS) as file:
        fitted = {name: file[name].astype(np.float64) for name in file.files}
    for name in ("shape", "appearance"):
        modes = fitted[f"{name}_modes"]
        fitted[f"{name}_modes"] = modes.reshape(len(modes), -1) * fitted.pop(f"{name}_scale")[:, None]
    mean = fitted.pop("mean") / 8
    fitted["mean"] = mean
    lungs = fitted["lungs"] / 255
    # The annotators drew the domes of the diaphragm a little high: the dark rim below belongs to the lungs.
    fitted["lungs"] = np.maximum(lungs, np.roll(lungs, DOME_RIM, axis=1))
    fitted["texture"] = np.array([upsampled(band) for band in fitted["texture"]])
    return fitted


@lru_cache(maxsize=16)
def cubic_upsampling(count: int, side: int) -> np.ndarray:
    """Matrix (side, count) that interpolates `count` samples to `side` ones (Catmull-Rom, pixel centres aligned)."""
    position = (np.arange(side) + 0.5) * count / side - 0.5
    base = np.floor(position).astype(int)
    t = position - base
    weights = [
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    ]
    matrix = np.zeros((side, count))
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        np.add.at(matrix, (np.arange(side), np.clip(base + offset, 0, count - 1)), weight)
    return matrix


def upsampled(grid: np.ndarray, side: int = CANVAS) -> np.ndarray:
    """A square grid, smoothly interpolated to (side, side)."""
    matrix = cubic_upsampling(len(grid), side)
    return matrix @ grid @ matrix.T


def widely_blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of several pixels, computed at half resolution: a quarter of the work."""
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(half, (0, 0), sigma / 2), image.shape[::-1], interpolation=cv2.INTER_LINEAR)


def sampled(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A float64 image at pixel coordinates x, y, linearly interpolated; the edge continues outside.

    Not cubic: OpenCV's cubic interpolation computes in float32, differently on different processors.
    """
    x, y = x.astype(np.float32), y.astype(np.float32)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=2)
def lung_edges(label: int) -> tuple[np.ndarray, np.ndarray]:
    """Medial and lateral edge (x) of a lung for each canvas row; outside its rows the nearest value goes on."""
    inside = statistics()["lungs"][label - 1] > 0.5
    rows = np.flatnonzero(inside.any(1))
    edges = [np.interp(AXIS, rows, [pick(np.flatnonzero(inside[row])) for row in rows]) for pick in (np.min, np.max)]
    left, right = (cv2.GaussianBlur(edge[:, None], (1, 31), 5)[:, 0] for edge in edges)
    return (right, left) if label == 1 else (left, right)


@lru_cache(maxsize=2)
def lung_coordinates(label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """On the canvas: height (0 apex, 1 base), breadth (0 medial edge, 1 lateral edge), and the soft-edged lung."""
    lung = statistics()["lungs"][label - 1]
    rows = np.nonzero(lung > 0.5)[0]
    top, bottom = rows.min(), np.quantile(rows, 0.99)
    medial, lateral = (edge[:, None] for edge in lung_edges(label))
    y, x = AXIS[:, None], AXIS[None]
    width = np.where(np.abs(lateral - medial) < 4, 4, np.abs(lateral - medial)) * (1 if label == 2 else -1)
    height = np.repeat((y - top) / (bottom - top), CANVAS, axis=1)
    return height, (x - medial) / width, cv2.GaussianBlur(lung, (0, 0), 1.5)


@lru_cache(maxsize=1)
def _inner_chest() -> np.ndarray:
    """1 between the chest walls, 0 on them and outside, on the canvas."""
    right, left = (lung_edges(label)[1][:, None] for label in (1, 2))
    return cv2.GaussianBlur(np.logical_and(AXIS - right > 3, left - AXIS > 3).astype(float), (0, 0), 2.5)


def crisp(gray: np.ndarray) -> np.ndarray:
    """Averaging blurs bones: give them back flat tops and steep edges by squashing the local contrast."""
    coarse = widely_blurred(gray, 5)
    detail = gray - coarse
    spread = np.sqrt(cv2.blur(detail * detail, (31, 31)) + 4.0)
    steep = STEEPNESS * detail / spread
    squashed = HEIGHT * spread * steep / np.sqrt(1 + steep * steep)
    squashed += CORTEX * (squashed - cv2.GaussianBlur(squashed, (0, 0), 1.2))
    inner = _inner_chest()
    return coarse + inner * squashed + (1 - inner) * detail


STEEPNESS, HEIGHT, CORTEX = 0.8, 1.8, 2.1


class Chest:
    """One drawn patient on one film.

    gray: float64 (CANVAS, CANVAS), the film's gray levels on the canvas, without texture.
    x, y: float64 (size, size), the canvas coordinates of the film's pixels.
    """

    def __init__(self, seed: int, size: int, rotation: float, context: float):
        fitted = statistics()
        stream = Stream(seed, "anatomy")
        scores = 0.92 * (fitted["factor"] @ stream.normal((len(fitted["factor"]),)))
        scores[2:4] = np.maximum(scores[2:4], -1.6)  # smaller lungs would show more around them than films have shown
        scores = (1 - context) * scores + context * (fitted["ill_mean"] + fitted["ill_spread"] * scores)
        knots, tables = fitted["knots"], fitted["quantiles"].T
        latent = np.array([np.interp(score, knots, table) for score, table in zip(scores, tables, strict=True)])
        shapes = len(fitted["shape_modes"])
        frame, shape, appearance = np.split(latent, [FRAME, FRAME + shapes])

        modes = fitted["appearance_modes"]
        grid = (appearance @ modes).reshape(round(modes.shape[1] ** 0.5), -1)
        self.gray = crisp(fitted["mean"] + upsampled(grid))

        flow = fitted["shape_mean"].reshape(-1, 2) + (shape @ fitted["shape_modes"]).reshape(-1, 2)
        side = round(len(flow) ** 0.5)
        backward = _inverse(flow.T.reshape(2, side, side))
        self._pull(canvas_to_film(frame, fitted["reference"]), backward, size, rotation)

    def _pull(self, matrix, backward, size, rotation):
        film = (np.arange(size) + 0.5) * FILM / size - 0.5
        x, y = np.meshgrid(film, film)
        if rotation:
            cosine, sine, centre = np.cos(np.radians(rotation)), np.sin(np.radians(rotation)), (FILM - 1) / 2
            x, y = x - centre, y - centre
            x, y = cosine * x - sine * y + centre, sine * x + cosine * y + centre
        y = (y - matrix[1, 2]) / matrix[1, 1]
        x = (x - matrix[0, 2] - matrix[0, 1] * y) / matrix[0, 0]
        shift_x, shift_y = (sampled(upsampled(part, CANVAS // 2), x / 2 - 0.25, y / 2 - 0.25) for part in backward)
        self.x, self.y = x + shift_x, y + shift_y

    def on_film(self, image: np.ndarray) -> np.ndarray:
        """A canvas image (CANVAS * k a side) as the film shows it."""
        scale = len(image) / CANVAS
        return sampled(image, (self.x + 0.5) * scale - 0.5, (self.y + 0.5) * scale - 0.5)

    def lungs(self) -> np.ndarray:
        """float64 (2, size, size): 0..1, the right and the left lung with soft edges."""
        return np.array([self.on_film(lung) for lung in statistics()["lungs"]])


def _inverse(flow: np.ndarray) -> np.ndarray:
    """The backward field v of a smooth forward field u on a coarse grid: v(p) = -u(p + v(p)), by iteration."""
    side = flow.shape[1]
    cell = CANVAS / side
    x, y = np.meshgrid(np.arange(side, dtype=float), np.arange(side, dtype=float))
    back = np.zeros_like(flow)
    for _ in range(8):
        back = np.array([-sampled(part, x + back[0] / cell, y + back[1] / cell) for part in flow])
    return back

"""Where a pneumonia lies and how dense it is, drawn on the canvas.

Every finding returns a coverage map, float64 (CANVAS, CANVAS), 0..1: 0 leaves the lung as it is, 1 makes it a little
denser than the heart. A film shows it by raising the lung's gray towards that of soft tissue, so an opacity that
touches the heart or the diaphragm takes its border away (the silhouette sign).

lobar: one lobe fills up from a focus; sharp at the horizontal fissure, fading where the fissure lies en face; an air
    bronchogram when dense. The rest of that lung is a little hazy.
bronchopneumonia: several ill-defined patches, denser towards the bases, in a hazy lung.
interstitial: perihilar haze, thickened bronchovascular bundles, a net of fine lines.
"""

import cv2
import numpy as np

from cases.phantom.anatomy import AXIS, CANVAS, lung_coordinates, upsampled
from cases.phantom.detail import HILA, vessels
from cases.phantom.parameters import PhantomParameters
from cases.phantom.randomness import Stream

LABELS = {"right": (1,), "left": (2,), "both": (1, 2)}


def coverage(parameters: PhantomParameters) -> np.ndarray:
    """The finding of resolved parameters on the canvas; not cut to the lungs: the film does that, sharply."""
    draw = {"lobar": _lobar, "bronchopneumonia": _bronchopneumonia, "interstitial": _interstitial}[parameters.finding]
    return np.clip(sum(draw(parameters, label) for label in LABELS[parameters.side]), 0, 1)


def _edge(distance: np.ndarray, softness: float) -> np.ndarray:
    """0 well below zero, 1 well above, over about ±2 softness."""
    return 1 / (1 + np.exp(-np.clip(distance / softness, -30, 30)))


def _cloud(stream: Stream, cells: int) -> np.ndarray:
    """Smooth unit-variance noise with about `cells` blobs across the canvas."""
    field = upsampled(stream.normal((cells, cells)))
    return field / field.std()


def _with_haze(cover: np.ndarray, most: float, parameters: PhantomParameters, stream: Stream) -> np.ndarray:
    """cover laid over a faint uneven haze of up to about `most`: inflamed lung is never clear right beside it."""
    haze = most * parameters.extent * parameters.density * np.clip(1 + 0.35 * _cloud(stream, 9), 0, 2)
    return 1 - (1 - np.clip(cover, 0, 1)) * (1 - haze)


def _lobe(label: int, lobe: str | None, stream: Stream) -> np.ndarray:
    """Coverage of a lobe as a frontal film shows it."""
    height, breadth, _ = lung_coordinates(label)
    if lobe is None:
        return np.ones_like(height)
    tilt, shift = stream.uniform(-0.06, 0.08), stream.uniform(-0.04, 0.04)
    fissure = height - (0.44 + shift + tilt * (breadth - 0.5))
    if lobe == "upper":
        if label == 1:
            return _edge(-fissure, 0.01)
        lingula = _edge(0.82 - height, 0.04) * _edge(0.5 - breadth, 0.07)
        return np.maximum(_edge(0.52 - height, 0.05), lingula)
    if lobe == "middle":
        return _edge(fissure, 0.012) * _edge(0.72 - breadth - 0.3 * (height - 0.7), 0.07)
    return _edge(height - 0.5 - shift, 0.06)


def _lobar(parameters: PhantomParameters, label: int) -> np.ndarray:
    stream = Stream(parameters.seed, f"lobar {label}")
    height, breadth, lung = lung_coordinates(label)
    lobe = _lobe(label, parameters.lobe, stream)
    weight = (lobe * lung > 0.6) * (breadth > 0.15) * (breadth < 0.85)
    rows, columns = np.nonzero(weight)
    focus = int(stream.uniform() * len(rows))
    focus = rows[focus], columns[focus]
    distance = np.hypot(1.3 * (height - height[focus]), breadth - breadth[focus])
    reach = 0.16 + 0.95 * parameters.extent
    fill = _edge(reach - distance + 0.09 * _cloud(stream, 16), stream.uniform(0.05, 0.1))
    dense = (0.3 + 0.7 * parameters.density) * (1 + 0.05 * _cloud(stream, 24))
    cover = dense * fill * lobe
    if parameters.density > 0.45 and stream.uniform() < 0.5:
        airways = vessels(parameters.seed, f"airways {label}", 1, trunks=7, generations=4)
        cover *= 1 - stream.uniform(0.15, 0.3) * cv2.GaussianBlur(airways, (0, 0), 0.8)
    return _with_haze(cover, 0.3, parameters, stream) * (lung > 0.02)


def _bronchopneumonia(parameters: PhantomParameters, label: int) -> np.ndarray:
    stream = Stream(parameters.seed, f"bronchopneumonia {label}")
    height, breadth, lung = lung_coordinates(label)
    place = _lobe(label, parameters.lobe, stream) * (lung > 0.7) * (0.25 + np.clip(height, 0, 1)) * (breadth < 0.9)
    chance = np.cumsum(place)
    count = 2 + round(9 * parameters.extent)
    picks = np.searchsorted(chance, stream.uniform(0, 1, (count,)) * chance[-1])
    y, x = AXIS[:, None], AXIS[None]
    ragged = 0.32 * _cloud(stream, 24) + 0.14 * _cloud(stream, 52)
    clear = np.ones((CANVAS, CANVAS))
    for pick, radius, strength in zip(
        picks,
        stream.uniform(9, 17 + 9 * parameters.extent, (count,)),
        stream.uniform(0.5, 1.0, (count,)),
        strict=True,
    ):
        row, column = divmod(int(pick), CANVAS)
        reach = int(2.6 * radius)
        part = np.s_[max(0, row - reach) : row + reach, max(0, column - reach) : column + reach]
        distance = np.hypot(y[part[0]] - row, x[:, part[1]] - column) / radius
        clear[part] *= 1 - strength * _edge(0.85 - distance + ragged[part], 0.28)
    cover = (0.25 + 0.75 * parameters.density) * (1 - clear)
    return _with_haze(cover, 0.35, parameters, stream) * _lobe(label, parameters.lobe, stream) * (lung > 0.02)


def _interstitial(parameters: PhantomParameters, label: int) -> np.ndarray:
    stream = Stream(parameters.seed, f"interstitial {label}")
    lung = lung_coordinates(label)[2]
    x0, y0, *_ = HILA[label]
    y, x = AXIS[:, None], AXIS[None]
    perihilar = np.exp(-np.square(np.hypot(x - x0, (y - y0) * 0.8) / (30 + 34 * parameters.extent)))
    haze = (0.6 + 0.14 * _cloud(stream, 10)) * perihilar + 0.16 * parameters.extent * (1 + 0.5 * _cloud(stream, 9))
    bundles = vessels(parameters.seed, f"bundles {label}", 1, trunks=14)
    bundles = cv2.GaussianBlur(bundles, (0, 0), 0.7) * (0.4 + 0.6 * perihilar)
    net = np.clip(1 - np.abs(_cloud(stream, 72)) * 1.6, 0, 1) * (0.4 + 0.6 * parameters.extent)
    cover = haze + 0.45 * bundles + 0.14 * net * (0.5 + 0.5 * perihilar)
    strength = 0.25 + 0.75 * parameters.density
    return strength * np.clip(cover, 0, 1) * _lobe(label, parameters.lobe, stream) * (lung > 0.02)

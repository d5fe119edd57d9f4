"""Pictures that the gate (model_zoo/lungs/gate.py) must tell from a frontal chest film: what the lung network learnt to
find nothing on (not_chests.py), and more that it never met.

Each maker takes a random generator and a film, uint8 (side, side), and returns uint8 (side, side).
"""

from functools import partial
from itertools import pairwise

import cv2
import numpy as np
from sklearn.datasets import load_sample_images

from train.lungs import not_chests


def scene(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A drawn photograph: sky, a sun or a moon, hills one behind the other, and houses or trees."""
    side = len(film)
    rows, columns = np.mgrid[:side, :side] / side
    picture = 255 * (rng.uniform(0.3, 1) + rng.uniform(-0.5, 0.3) * rows)
    cv2.circle(picture, _point(rng, side, 0, 0.4), int(side * rng.uniform(0.02, 0.12)), float(rng.uniform(0, 255)), -1)
    for horizon in np.sort(rng.uniform(0.3, 0.8, rng.integers(1, 4))):
        waves = sum(rng.uniform(0, 0.06) * np.sin(rng.uniform(2, 25) * columns + rng.uniform(0, 6)) for _ in range(4))
        grass = cv2.resize(rng.normal(size=(side // 4, side // 4)), (side, side)) * rng.uniform(0, 30)
        picture = np.where(rows > horizon + waves, rng.uniform(0, 255) + grass, picture)
        for _ in range(rng.integers(0, 6)):
            foot, gray = _point(rng, side, horizon, 1), float(rng.uniform(0, 255))
            wide, high = (int(v) for v in rng.uniform(0.03, 0.25, 2) * side)
            if rng.random() < 0.5:
                cv2.rectangle(picture, foot, (foot[0] + wide, foot[1] - high), gray, -1)
            else:
                cv2.line(picture, foot, (foot[0], foot[1] - high), gray / 2, 1 + wide // 8)
                cv2.circle(picture, (foot[0], foot[1] - high), 1 + wide // 2, gray, -1)
    return _finished(rng, picture, grain=6)


def chessboard(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A test pattern: squares or stripes, turned a little."""
    side, cells = len(film), rng.uniform(1, 16)
    angle, (dark, bright) = rng.uniform(-0.3, 0.3), np.sort(rng.uniform(0, 255, 2))
    rows, columns = np.mgrid[:side, :side] / side * cells
    across = np.floor(columns * np.cos(angle) + rows * np.sin(angle) + rng.uniform(0, 2))
    down = np.floor(rows * np.cos(angle) - columns * np.sin(angle) + rng.uniform(0, 2))
    lit = (across + down * (rng.random() < 0.6)) % 2
    return _finished(rng, dark + (bright - dark) * lit, grain=4)


def turned(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A film on its side or on its head."""
    return np.rot90(film, rng.integers(1, 4)).copy()


def half(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """The left or the right half of a film alone: one lung."""
    side = len(film)
    start = rng.choice([0, side // 2])
    return cv2.resize(film[:, start : start + side // 2], (side, side), interpolation=cv2.INTER_AREA)


def top_or_bottom(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """Neck and shoulders, or the belly, of a film."""
    side = len(film)
    part = int(side * rng.uniform(0.25, 0.35))
    cut = film[:part] if rng.random() < 0.5 else film[-part:]
    return cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)


def cut_off(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A film of which the upper or the lower part, or one side, is one gray, as when a file ends early."""
    made, part = film.copy(), int(len(film) * rng.uniform(0.3, 0.6))
    lost = [np.s_[:part], np.s_[-part:], np.s_[:, :part], np.s_[:, -part:]][rng.integers(4)]
    made[lost] = rng.choice([0, 128, 255])
    return made


def side_by_side(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """Two films in one picture."""
    side = len(film)
    narrow = cv2.resize(film, (side // 2, side), interpolation=cv2.INTER_AREA)
    return np.hstack([narrow, narrow])


def swapped(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """The lower half of a film above its upper one."""
    return np.roll(film, len(film) // 2, axis=0)


def double_exposure(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A film and a drawn photograph, one through the other."""
    share = rng.uniform(0.4, 0.6)
    return (share * film + (1 - share) * scene(rng, film)).astype(np.uint8)


def noisy(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A film drowned in noise."""
    return np.clip(film + rng.normal(size=film.shape) * rng.uniform(60, 120), 0, 255).astype(np.uint8)


def outlines(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A line drawing after a film, dark on light or light on dark."""
    lines = cv2.Canny(film, 40, 90)
    return lines if rng.random() < 0.3 else 255 - lines


def lateral(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A drawn chest from the side: one dark field between breastbone and spine, ribs over it, the heart in front."""
    side = len(film)
    picture = np.full((side, side), rng.uniform(0, 30))
    draw = partial(_ellipse, picture, side)
    draw(0.5, 0.55, rng.uniform(0.33, 0.45), rng.uniform(0.5, 0.6), rng.uniform(120, 170))
    field = draw(0.47, 0.47, rng.uniform(0.2, 0.3), rng.uniform(0.32, 0.4), rng.uniform(30, 80), rng.uniform(-12, 12))
    for top in np.linspace(0.15, 0.8, 9):
        centre, axes = _pixels(side, 0.45, top - 0.05), _pixels(side, 0.35, 0.16)
        cv2.ellipse(picture, centre, axes, 25, 10, 120, float(rng.uniform(90, 150)), 2)
    lit = np.zeros_like(picture)
    _ellipse(lit, side, 0.34, 0.6, 0.13, 0.16, rng.uniform(50, 90), 30)
    _ellipse(lit, side, 0.47, 0.95, 0.45, rng.uniform(0.18, 0.26), rng.uniform(60, 110))
    picture += lit * (field + 0.3)
    for y in np.arange(0.05, 0.95, 0.075):
        x = 0.74 + 0.05 * np.sin(3 * y)
        cv2.rectangle(
            picture, _pixels(side, x, y), _pixels(side, x + 0.09, y + 0.055), float(rng.uniform(180, 230)), -1
        )
    picture = picture if rng.random() < 0.5 else picture[:, ::-1]
    return _finished(rng, picture, grain=6, blur=side / 100)


def hand(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A drawn hand: five rows of bones in soft tissue on black."""
    side = len(film)
    flesh, bones = np.zeros((2, side, side))
    wrist = np.array([0.5, 0.95])
    knuckle_height = rng.uniform(0.5, 0.58)
    for i, reach in enumerate((0.3, 0.42, 0.46, 0.42, 0.33)):
        knuckle = np.array([0.26 + 0.12 * i, knuckle_height + 0.12 * (i == 0) + 0.02 * abs(i - 2)])
        lean = rng.uniform(0.1, 0.3) * (i - 2) - 0.5 * (i == 0)
        tip = knuckle + reach * np.array([np.sin(lean), -np.cos(lean)])
        cv2.line(flesh, _pixels(side, *knuckle), _pixels(side, *tip), 1.0, int(0.085 * side))
        ends = [wrist + 0.25 * (knuckle - wrist), knuckle, *(knuckle + s * (tip - knuckle) for s in (0.5, 0.8, 1))]
        for start, end in pairwise(ends):
            gap = 0.08 * (end - start)
            cv2.line(bones, _pixels(side, *(start + gap)), _pixels(side, *(end - gap)), 1.0, int(0.035 * side))
    _ellipse(flesh, side, 0.5, 0.72, 0.27, 0.24, 1)
    cv2.rectangle(flesh, _pixels(side, 0.35, 0.85), _pixels(side, 0.65, 1), 1.0, -1)
    cv2.rectangle(bones, _pixels(side, 0.38, 0.9), _pixels(side, 0.47, 1), 1.0, -1)
    cv2.rectangle(bones, _pixels(side, 0.51, 0.9), _pixels(side, 0.62, 1), 1.0, -1)
    picture = rng.uniform(0, 30) + rng.uniform(50, 100) * flesh + rng.uniform(80, 130) * bones
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-30, 30), rng.uniform(0.8, 1.1))
    picture = cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return _finished(rng, picture, grain=5, blur=side / 120)


def dental(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A drawn dental panorama: two rows of teeth along an arch, the jaws around them, the spine on both sides."""
    side = len(film)
    rows, columns = np.mgrid[:side, :side] / side
    arch = 0.5 - rng.uniform(0.2, 0.5) * (columns - 0.5) ** 2
    away = np.abs(rows - arch)
    picture = 60 + 70 * np.exp(-((away / rng.uniform(0.15, 0.25)) ** 2)) + 60 * np.abs(columns - 0.5) ** 2
    picture -= rng.uniform(30, 60) * np.exp(-(((rows - 0.28) / 0.07) ** 2)) * (np.abs(columns - 0.5) < 0.32)
    pitch = rng.uniform(0.045, 0.06)
    for x in np.arange(0.15, 0.85, pitch):
        y, bright = 0.5 - 0.35 * (x - 0.5) ** 2, float(rng.uniform(170, 235))
        for sign in (-1, 1):
            long = rng.uniform(0.13, 0.19)
            _ellipse(picture, side, x, y + sign * (0.02 + long / 2), 0.42 * pitch, long / 2, bright)
            root = _pixels(side, x, y + sign * 0.06), _pixels(side, x, y + sign * long)
            cv2.line(picture, *root, bright - 60, max(1, side // 128))
    edge = 0.85 - 0.5 * (columns - 0.5) ** 2
    picture += 70 * np.exp(-(((rows - edge) / 0.03) ** 2))
    picture[rows > edge + 0.06] *= 0.4
    return _finished(rng, picture, grain=6, blur=side / 150)


def slice_of_ct(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A drawn slice of a CT scan: two dark lungs in a body that lies on its back."""
    side = len(film)
    picture = np.full((side, side), rng.uniform(0, 15))
    _ellipse(picture, side, 0.5, 0.5, rng.uniform(0.4, 0.48), rng.uniform(0.28, 0.38), rng.uniform(90, 150))
    air = rng.uniform(5, 40)
    for sign in (-1, 1):
        x, tilt = 0.5 + sign * rng.uniform(0.18, 0.22), rng.uniform(-12, 12)
        _ellipse(picture, side, x, 0.48, rng.uniform(0.12, 0.16), rng.uniform(0.2, 0.27), air, tilt)
    _ellipse(picture, side, 0.53, 0.4, 0.1, 0.11, rng.uniform(130, 180))
    _ellipse(picture, side, 0.5, 0.68, 0.06, 0.06, rng.uniform(200, 250))
    for angle in np.linspace(0, 2 * np.pi, 14):
        x, y = 0.5 + 0.4 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)
        _ellipse(picture, side, x, y, 0.03, 0.012, 230, np.degrees(angle) + 90)
    return _finished(rng, picture, grain=6)


def torn(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A film as a broken transfer leaves it: bands of rows shifted sideways."""
    made = film.copy()
    edges = np.sort(rng.integers(0, len(film), rng.integers(4, 12)))
    for start, end in pairwise(edges):
        made[start:end] = np.roll(film[start:end], rng.integers(len(film) // 8, len(film)), axis=1)
    return made


def swirled(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A film turned about its middle, the more the nearer to it."""
    side = len(film)
    rows, columns = np.mgrid[:side, :side].astype(np.float32) - side / 2
    angle = rng.choice([-1, 1]) * rng.uniform(1.5, 4) * np.exp(-np.hypot(rows, columns) / (0.4 * side))
    across = columns * np.cos(angle) - rows * np.sin(angle) + side / 2
    down = columns * np.sin(angle) + rows * np.cos(angle) + side / 2
    maps = across.astype(np.float32), down.astype(np.float32)
    return cv2.remap(film, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def photograph(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """A part of one of scikit-learn's two photographs, a temple and a flower."""
    photo = cv2.cvtColor(load_sample_images().images[rng.integers(2)], cv2.COLOR_RGB2GRAY)
    height, width = photo.shape
    part = int(rng.uniform(0.4, 1) * height)
    y, x = (int(rng.integers(0, longest - part + 1)) for longest in (height, width))
    cut = photo[y : y + part, x : x + part]
    return cv2.resize(cut[:, :: rng.choice([-1, 1])], film.shape[::-1], interpolation=cv2.INTER_AREA)


# What the gate's measures were chosen on; the lung network learnt to find nothing on the first seven.
KNOWN = (
    *not_chests.MAKERS,
    *(scene, chessboard, turned, half, top_or_bottom, lateral),
    *(cut_off, side_by_side, swapped, double_exposure, noisy, outlines),
)
# What nothing was chosen on.
UNSEEN = (hand, dental, slice_of_ct, torn, swirled, photograph)


def _pixels(side: int, *shares: float) -> tuple[int, ...]:
    return tuple(round(side * share) for share in shares)


def _point(rng: np.random.Generator, side: int, top: float, bottom: float) -> tuple[int, int]:
    return _pixels(side, rng.uniform(0, 1), rng.uniform(top, bottom))


def _ellipse(picture, side, x, y, across, down, gray, angle=0.0) -> np.ndarray:
    """Draw a filled ellipse, its centre and half axes in shares of the side; returns where it lies, 0 or 1."""
    inside = np.zeros(picture.shape, np.uint8)
    cv2.ellipse(inside, _pixels(side, x, y), _pixels(side, across, down), angle, 0, 360, 1, -1)
    picture[inside > 0] = gray
    return inside


def _finished(rng: np.random.Generator, picture: np.ndarray, grain: float, blur: float = 1.0) -> np.ndarray:
    """What an optical system and a detector add: blur and grain."""
    soft = cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), blur * rng.uniform(0.5, 1.5))
    return np.clip(soft + rng.normal(size=soft.shape) * rng.uniform(0, grain), 0, 255).astype(np.uint8)

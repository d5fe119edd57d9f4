"""Fit the phantoms' statistical anatomy: `python -m train.anatomy` writes cases/phantom/anatomy.npz.

Source: the NORMAL films of the *train* split of the `chest_xray` collection that have a two-lung mask in `lung_masks/`
(1,336 films, the best registered 1,202 of them for the statistics). No validation or test film is read, and of the
pneumonias only what step 6 says. Both folders lie under LUNGLENS_DATA, films and masks at 224 by 224 pixels, with a
`chest_xray/manifest.csv` whose columns split, label and file name the films.

An active appearance model (Cootes, Edwards & Taylor 2001) with dense correspondence in place of landmarks:
1. frame: each film is put on a common canvas by its lungs (centre, width, height and tilt of the midline);
2. shape: all films are registered to their running average (groupwise, dense inverse search optical flow on
   local-contrast-normalised films plus the signed distance to the lung edge). The deformation fields get a PCA;
3. appearance: the films, warped to the average shape, get a mean and a PCA. What a film does not show (the canvas is
   larger than a film) is treated as missing and filled by iterating the PCA;
4. the residual: its standard deviation per place and frequency band, for the texture the modes cannot carry;
5. the joint distribution of frame, shape and appearance: a quantile table for each number and the correlation of their
   normal scores (a Gaussian copula);
6. context: mean and spread of the same numbers over PNEUMONIA films of the train split (of every third of them, the
   best registered 1,129), the appearance measured outside the lungs only, so that no opacity gets into it.

What is stored are averages, modes, quantiles and correlations over more than 1,100 films each. Canvas pixels that fewer
than MIN_FILMS films show are replaced by a blurred continuation of their neighbours, so no single film can be read out
of the file.

One core, about 12 minutes, 3 GB. Reproducible on one machine with the pinned requirements. Raises FileNotFoundError
when the data is missing.
"""

import argparse
import csv
import sys
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.stats import norm, rankdata

from cases.phantom.anatomy import CANVAS, FILM, canvas_to_film
from cases.settings import data_root
from model_zoo.files import replacing
from train.answers import answered

OUTPUT = Path("cases/phantom/anatomy.npz")
MIN_FILMS = 300
FLOW_GRID, SHAPE_GRID, SHAPE_MODES = 72, 48, 30
APPEARANCE_GRID, APPEARANCE_MODES = 96, 40
COARSE_ROUNDS = (14, 10, 8, 6, 5)  # smoothing of the deformation, canvas pixels
FINE_ROUNDS = (5, 4.5, 4)
GRID_X, GRID_Y = np.meshgrid(np.arange(CANVAS, dtype=np.float32), np.arange(CANVAS, dtype=np.float32))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma)


def resize(image: np.ndarray, side: int, interpolation: int = cv2.INTER_AREA) -> np.ndarray:
    return cv2.resize(image.astype(np.float32), (side, side), interpolation=interpolation)


def train_names(root: Path, label: str) -> list[str]:
    """File names of one class of the train split, sorted."""
    with open(root / "chest_xray" / "manifest.csv", newline="") as file:
        return sorted(row["file"] for row in csv.DictReader(file) if (row["split"], row["label"]) == ("train", label))


def load_films(root: Path, label: str, names: list[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Films uint8 (n, 224, 224), masks (1 patient's right lung, 2 left) and names of those train films that have two
    lungs."""
    films, masks, kept = [], [], []
    for name in names:
        path = root / "lung_masks" / "train" / label / Path(name).with_suffix(".png").name
        if not path.exists():
            continue
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127
        count, parts, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        lungs = [part for part in range(1, count) if stats[part, cv2.CC_STAT_AREA] > 1500]
        if len(lungs) != 2:
            continue
        right, left = sorted(lungs, key=lambda part: centres[part, 0])
        films.append(cv2.imread(str(root / "chest_xray" / "train" / label / name), cv2.IMREAD_GRAYSCALE))
        masks.append(np.where(parts == right, 1, np.where(parts == left, 2, 0)).astype(np.uint8))
        kept.append(name)
    return np.array(films), np.array(masks), kept


def lung_frame(mask: np.ndarray) -> np.ndarray:
    """Centre x, centre y, half width, half height (film pixels) and tilt of the midline (x per y) of the lungs."""
    rows = np.flatnonzero((mask == 1).any(1) & (mask == 2).any(1))
    midline = [(np.flatnonzero(mask[row] == 1).max() + np.flatnonzero(mask[row] == 2).min()) / 2 for row in rows]
    tilt = np.polyfit(rows - FILM / 2, midline, 1)[0]
    y, x = np.nonzero(mask)
    left, right = np.quantile(x - tilt * (y - FILM / 2), [0.02, 0.98])
    top, bottom = np.quantile(y, [0.02, 0.98])
    return np.array([(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2, tilt])


def contrast(image: np.ndarray) -> np.ndarray:
    """Local contrast with unit local deviation, so that a faint and a dark film are registered alike."""
    detail = image - blur(image, 9)
    return detail / (np.sqrt(blur(detail * detail, 16)) + 4)


def guide(detail: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """The 8-bit image that optical flow sees: local contrast plus the clipped distance to the lung edge."""
    return np.clip(128 + 28 * detail + 3.5 * distance, 0, 255).astype(np.uint8)


class Films:
    """All films on the canvas, with what registration needs of them."""

    def __init__(self, films: np.ndarray, masks: np.ndarray, reference: np.ndarray | None = None):
        self.frames = np.array([lung_frame(mask) for mask in masks])
        self.reference = self.frames[:, :4].mean(0) if reference is None else reference
        self.masks = masks
        self.pixels, self.shown, self.detail, self.distance = [], [], [], []
        for film, mask, frame in zip(films, masks, self.frames, strict=True):
            x, y = self.film_coordinates(frame, GRID_X, GRID_Y)
            pixels = cv2.remap(film, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            shown = (x >= 0) & (x <= FILM - 1) & (y >= 0) & (y <= FILM - 1)
            lungs = cv2.remap(mask, x, y, cv2.INTER_NEAREST) > 0
            detail = contrast(pixels.astype(np.float32))
            detail[~shown] = 0
            self.pixels.append(pixels)
            self.shown.append(shown.astype(np.uint8))
            self.detail.append(detail.astype(np.float16))
            distance = distance_transform_edt(lungs) - distance_transform_edt(~lungs)
            self.distance.append(np.clip(distance, -12, 12).astype(np.float16))

    def __len__(self):
        return len(self.pixels)

    def film_coordinates(self, frame, x, y):
        matrix = canvas_to_film(frame, self.reference)
        film_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
        return film_x.astype(np.float32), (matrix[1, 1] * y + matrix[1, 2]).astype(np.float32)


def warp(image: np.ndarray, flow: np.ndarray, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """image(x + flow(x)) on the canvas; flow (grid, grid, 2) in canvas pixels."""
    flow = resize(flow, CANVAS, cv2.INTER_CUBIC)
    return cv2.remap(image, GRID_X + flow[..., 0], GRID_Y + flow[..., 1], cv2.INTER_LINEAR, borderMode=border)


def average(films: Films, members, flows=None) -> tuple[np.ndarray, np.ndarray]:
    """Mean local contrast (over the films that show a pixel) and mean lung distance of some films."""
    total, weight, distance = np.zeros((CANVAS, CANVAS)), np.full((CANVAS, CANVAS), 1e-3), np.zeros((CANVAS, CANVAS))
    for index in members:
        flow = np.zeros((2, 2, 2)) if flows is None else flows[index]
        shown = warp(films.shown[index].astype(np.float32), flow, cv2.BORDER_CONSTANT)
        total += shown * warp(films.detail[index].astype(np.float32), flow, cv2.BORDER_CONSTANT)
        distance += warp(films.distance[index].astype(np.float32), flow)
        weight += shown
    return total / weight, distance / len(members)


def normalised(detail: np.ndarray, sharpen: float) -> np.ndarray:
    """The average sharpened back to unit contrast: averaging blurs it, and a blurred target would stay blurred."""
    detail = detail - blur(detail, 9)
    detail = detail / (np.sqrt(blur(detail * detail, 16)) + 0.05)
    return (detail + sharpen * (detail - blur(detail, 2))).astype(np.float32)


def aligned(films: Films, flows: np.ndarray, target: tuple[np.ndarray, np.ndarray], sigma: float, fine: bool):
    """One round: deformations improved towards the target (local contrast, lung distance), and each film's fit."""
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0 if fine else 1)
    detail = normalised(target[0], 0.7 if fine else 0.0)
    target_guide, region = guide(detail, target[1]), target[1] > -6
    fits, improved = np.zeros(len(films)), np.empty_like(flows)
    for index in range(len(films)):
        start = resize(flows[index], CANVAS, cv2.INTER_CUBIC) * fine
        source = films.detail[index].astype(np.float32)
        found = search.calc(target_guide, guide(source, films.distance[index].astype(np.float32)), start.copy())
        shown = films.shown[index].astype(np.float32)
        step = np.clip(found - start, -6, 6) if fine else found
        flow = start + blur(step * shown[..., None], sigma) / (blur(shown, sigma)[..., None] + 0.01)
        improved[index] = resize(flow, FLOW_GRID)
        fits[index] = np.corrcoef(warp(source, flow)[region], detail[region])[0, 1]
    return improved, fits


def register(films: Films) -> tuple[np.ndarray, np.ndarray]:
    """Deformations (n, FLOW_GRID, FLOW_GRID, 2) from the average shape to each film, and how well each film fits."""
    flows = np.zeros((len(films), FLOW_GRID, FLOW_GRID, 2), np.float32)
    target = average(films, range(len(films)))
    rounds = [(sigma, False) for sigma in COARSE_ROUNDS] + [(sigma, True) for sigma in FINE_ROUNDS]
    for number, (sigma, fine) in enumerate(rounds, 1):
        flows, fits = aligned(films, flows, target, sigma, fine)
        flows -= flows.mean(0)
        target = average(films, best(fits, 0.8 if fine else 0.5), flows)
        print(f"registration {number}/{len(rounds)}: correlation with the average {np.median(fits):.3f}", flush=True)
    return flows, fits


def best(fits: np.ndarray, share: float) -> np.ndarray:
    return np.argsort(-fits)[: int(len(fits) * share)]


def continued(image: np.ndarray, known: np.ndarray, reach: float) -> np.ndarray:
    """image with its unknown part replaced by the nearest known values, blurred over `reach` pixels."""
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = image[nearest[0], nearest[1]]
    blend = np.clip(distance_transform_edt(~known) / reach, 0, 1).reshape(known.shape + (1,) * (image.ndim - 2))
    return filled * (1 - blend) + blur(filled, reach) * blend


def appearance_modes(deviations: np.ndarray, shown: np.ndarray, rounds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """PCA with missing values: orthonormal modes (APPEARANCE_MODES, pixels) and coefficients, ridge-fitted per film."""
    filled = np.where(shown > 0, deviations, 0).astype(np.float32)
    for _ in range(rounds):
        values, vectors = np.linalg.eigh(filled @ filled.T)
        order = np.argsort(-values)[:APPEARANCE_MODES]
        modes = vectors[:, order].T @ filled
        modes /= np.linalg.norm(modes, axis=1, keepdims=True)
        noise = np.var(filled - filled @ modes.T @ modes)
        ridge = np.diag(noise * len(filled) / values[order])
        coefficients = np.empty((len(filled), APPEARANCE_MODES), np.float32)
        for index in range(len(filled)):
            visible = modes * shown[index]
            coefficients[index] = np.linalg.solve(visible @ visible.T + ridge, visible @ deviations[index])
        filled = np.where(shown > 0, deviations, coefficients @ modes).astype(np.float32)
    return modes, coefficients, ridge


def project(films, target, mean, modes, outside, shape_mean, basis, grid_weight, ridge) -> np.ndarray:
    """Frame, shape and appearance coefficients of other films, the appearance from outside the lungs only."""
    flows = np.zeros((len(films), FLOW_GRID, FLOW_GRID, 2), np.float32)
    for sigma, fine in ((COARSE_ROUNDS[-1], False), (FINE_ROUNDS[-1], True)):
        flows, fits = aligned(films, flows, target, sigma, fine)
    modes = modes.reshape(len(modes), -1)
    small_mean = resize(mean, APPEARANCE_GRID)
    latent = []
    for index in best(fits, 0.9):
        film = resize(warp(films.pixels[index], flows[index]), APPEARANCE_GRID) - small_mean
        shown = resize(warp(films.shown[index].astype(np.float32), flows[index], cv2.BORDER_CONSTANT), APPEARANCE_GRID)
        visible = modes * ((shown > 0.99) & outside).ravel()
        appearance = np.linalg.solve(visible @ visible.T + ridge, visible @ film.ravel())
        shape = ((resize(flows[index], SHAPE_GRID) - shape_mean) * grid_weight).ravel() @ basis.T
        latent.append(np.concatenate([films.frames[index], shape, appearance]))
    return np.array(latent)


def bytes_of(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows as int8 with one float32 scale each."""
    scale = np.abs(array).reshape(len(array), -1).max(1) / 127
    scaled = np.rint(array / scale.reshape(-1, *[1] * (array.ndim - 1)))
    return scaled.astype(np.int8), scale.astype(np.float32)


def fit(root: Path) -> dict[str, np.ndarray]:
    films = Films(*load_films(root, "NORMAL", train_names(root, "NORMAL"))[:2])
    print(f"{len(films)} films on the canvas", flush=True)
    flows, quality = register(films)
    usable = best(quality, 0.9)  # the worst tenth is badly registered: it would only blur

    count = np.zeros((CANVAS, CANVAS))
    total = np.zeros((CANVAS, CANVAS))
    lungs = np.zeros((2, CANVAS, CANVAS))
    pixels, shown = [], []
    for index in usable:
        pixels.append(warp(films.pixels[index], flows[index]))
        shown.append(warp(films.shown[index].astype(np.float32), flows[index], cv2.BORDER_CONSTANT) > 0.99)
        count += shown[-1]
        total += pixels[-1] * shown[-1]
        flow = resize(flows[index], CANVAS, cv2.INTER_CUBIC)
        x, y = films.film_coordinates(films.frames[index], GRID_X + flow[..., 0], GRID_Y + flow[..., 1])
        for label in (1, 2):
            lungs[label - 1] += cv2.remap((films.masks[index] == label).astype(np.float32), x, y, cv2.INTER_LINEAR)
    known = count >= MIN_FILMS
    mean = continued((total / np.maximum(count, 1)).astype(np.float32), known, 4)

    small_mean, small_known = resize(mean, APPEARANCE_GRID), resize(known, APPEARANCE_GRID) > 0.99
    small_shown = np.array([(resize(part, APPEARANCE_GRID) > 0.99) & small_known for part in shown])
    deviations = np.array([resize(film, APPEARANCE_GRID) - small_mean for film in pixels]).reshape(len(usable), -1)
    modes, appearance, ridge = appearance_modes(deviations, small_shown.reshape(len(usable), -1).astype(np.float32))
    modes = modes.reshape(-1, APPEARANCE_GRID, APPEARANCE_GRID)

    squares = np.zeros((3, CANVAS, CANVAS))
    for film, part, coefficients in zip(pixels, shown, appearance, strict=True):
        model = mean + resize(np.tensordot(coefficients, modes, 1), CANVAS, cv2.INTER_CUBIC)
        residual = (film - model) * part
        levels = [residual, blur(residual, 1), blur(residual, 2), blur(residual, 4)]
        squares += [np.square(fine - coarse) for fine, coarse in pairwise(levels)]
    inner = cv2.erode(known.astype(np.uint8), np.ones((13, 13))) > 0
    texture = np.sqrt(squares / np.maximum(count, 1)).astype(np.float32)
    texture = np.array([resize(blur(continued(band, inner, 6), 3), SHAPE_GRID) for band in texture])
    modes = np.array([continued(mode.astype(np.float32), small_known, 3) for mode in modes])

    grid_weight = np.sqrt(np.clip(resize(count / len(usable), SHAPE_GRID), 0.05, 1))[..., None]
    shapes = np.array([resize(flows[index], SHAPE_GRID) for index in usable])
    shape_mean = shapes.mean(0)
    weighted = ((shapes - shape_mean) * grid_weight).reshape(len(usable), -1)
    basis = np.linalg.svd(weighted, full_matrices=False)[2][:SHAPE_MODES]
    shape = weighted @ basis.T
    grid_known = resize(known, SHAPE_GRID) > 0.99
    shape_modes = (basis.reshape(-1, SHAPE_GRID, SHAPE_GRID, 2) / grid_weight).astype(np.float32)
    shape_modes = np.array([continued(mode, grid_known, 3) for mode in shape_modes])
    shape_mean = continued(shape_mean, grid_known, 3)

    latent = np.concatenate([films.frames[usable], shape, appearance], axis=1)
    scores = norm.ppf((rankdata(latent, axis=0) - 0.5) / len(latent))
    knots = np.linspace(-2.4, 2.4, 25)
    quantiles = np.quantile(latent, norm.cdf(knots), axis=0)
    ill = Films(*load_films(root, "PNEUMONIA", train_names(root, "PNEUMONIA")[::3])[:2], films.reference)
    target = average(films, best(quality, 0.8), flows)
    outside = (resize(lungs.sum(0) / len(usable), APPEARANCE_GRID) < 0.05) & small_known
    ill_latent = project(ill, target, mean, modes, outside, shape_mean, basis, grid_weight, ridge)
    columns = zip(ill_latent.T, quantiles.T, strict=True)
    ill_scores = np.array([np.interp(column, table, knots) for column, table in columns])
    packed_shape, shape_scale = bytes_of(shape_modes)
    packed_appearance, appearance_scale = bytes_of(modes)
    return {
        "films": np.array(len(usable)),
        "reference": films.reference.astype(np.float32),
        "mean": np.rint(mean * 8).astype(np.uint16),
        "lungs": np.rint(255 * lungs / len(usable)).astype(np.uint8),
        "texture": texture.astype(np.float16),
        "shape_mean": shape_mean.astype(np.float16),
        "shape_modes": packed_shape,
        "shape_scale": shape_scale,
        "appearance_modes": packed_appearance,
        "appearance_scale": appearance_scale,
        "knots": knots.astype(np.float32),
        "quantiles": quantiles.astype(np.float32),
        "ill_mean": ill_scores.mean(1).astype(np.float32),
        "ill_spread": ill_scores.std(1).astype(np.float32),
        "ill_films": np.array(len(ill_latent)),
        "factor": np.linalg.cholesky(np.corrcoef(scores.T) + 1e-6 * np.eye(latent.shape[1])).astype(np.float32),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"default {OUTPUT}")
    options = parser.parse_args()
    started = time.time()
    cv2.setNumThreads(1)
    statistics = fit(data_root())
    with replacing(options.output, "wb") as file:
        np.savez_compressed(file, **statistics)
    size = options.output.stat().st_size // 1024
    print(f"{options.output}: {statistics['films']} films, {size} KiB, {time.time() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(answered(main))

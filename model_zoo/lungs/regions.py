"""From a lung mask to named regions, and how much of a heatmap lies in each. NumPy and OpenCV only.

Right and left are the patient's: the right lung is on the image's left. The zones are the radiologist's: each lung in
three parts of equal height, upper, middle and lower. What lies between the lungs is the upper mediastinum, and below
the upper zones the heart. The lung behind the heart counts as lung, as it does in the masks that the network learnt.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from model_zoo.overlay import enlarged

OUTSIDE, UPPER_MEDIASTINUM, HEART = 0, 7, 8
ZONES = {
    1: "right upper zone",
    2: "right middle zone",
    3: "right lower zone",
    4: "left upper zone",
    5: "left middle zone",
    6: "left lower zone",
}
REGIONS = {**ZONES, UPPER_MEDIASTINUM: "upper mediastinum", HEART: "heart region", OUTSIDE: "outside"}

# Fragments smaller than this share of the image are dropped: a lung is never so small on a chest film.
_FRAGMENT = 0.01

# Between two lungs a mask is at most this share as high as at its highest.
_WAIST = 0.6


@dataclass(frozen=True, eq=False)
class LungFields:
    """lungs: uint8 (height, width), 1 the patient's right lung, 2 the left one, 0 elsewhere.
    regions: uint8 (height, width), the keys of REGIONS."""

    lungs: np.ndarray
    regions: np.ndarray


def lung_fields(probability: np.ndarray, smallest_share: float, lowest_confidence: float) -> LungFields | None:
    """Regions from a map of lung probabilities, float (height, width), 0..1; None where it shows no pair of lungs.

    smallest_share: of the image that the lungs must cover together. lowest_confidence: what the mean of |2p - 1| over
    them must reach, which is near 1 where the network is sure of each pixel.
    """
    mask = without_fragments(probability > 0.5)
    if mask.mean() < smallest_share or confidence(probability) < lowest_confidence:
        return None
    lungs = right_and_left(mask)
    if not all((lungs == side).any() for side in (1, 2)):
        return None
    return LungFields(lungs, regions_of(lungs))


def confidence(probability: np.ndarray) -> float:
    """How sure the network is of what it calls lung: the mean of |2p - 1| there, 0..1; 0 where it calls nothing so."""
    found = probability > 0.5
    return float(np.abs(2 * probability[found] - 1).mean()) if found.any() else 0.0


def right_and_left(mask: np.ndarray) -> np.ndarray:
    """A mask, bool (height, width), as LungFields.lungs. Parts that do not touch go to the side that they lie on; a
    part on both sides is two lungs that touch, and cut where it is narrowest near the middle. A mask without such a
    waist is one lung, and goes to its half of the image."""
    columns = np.flatnonzero(mask.any(axis=0))
    lungs = np.zeros(mask.shape, np.uint8)
    if not len(columns):
        return lungs
    first, last = columns[0], columns[-1]
    third = (last - first) // 3
    inner = np.arange(first + third, max(last - third, first + third) + 1)
    heights = mask[:, inner].sum(axis=0)
    # In the middle of the narrowest columns, since a gap is wide.
    midline = int(np.median(inner[heights == heights.min()]))
    if heights.min() > _WAIST * mask.sum(axis=0).max():
        return np.where(mask, 1 if columns.mean() < mask.shape[1] / 2 else 2, 0).astype(np.uint8)
    count, parts, boxes, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    halves = np.where(np.arange(mask.shape[1]) > midline, np.uint8(2), np.uint8(1))
    for part in range(1, count):
        left, width = boxes[part, cv2.CC_STAT_LEFT], boxes[part, cv2.CC_STAT_WIDTH]
        overhang = min(midline - left, left + width - midline)
        side = halves if overhang > 0.25 * width else 2 if centroids[part][0] > midline else 1
        np.copyto(lungs, side, where=parts == part)
    return lungs


def regions_of(lungs: np.ndarray) -> np.ndarray:
    """LungFields.regions from LungFields.lungs. A lung that is missing leaves its zones and what lies between out."""
    regions = np.zeros(lungs.shape, np.uint8)
    spans = {}
    for side, first_zone in ((1, 1), (2, 4)):
        rows = np.flatnonzero((lungs == side).any(axis=1))
        if not len(rows):
            continue
        spans[side] = rows[0], rows[-1] + 1
        edges = np.linspace(*spans[side], 4).round().astype(int)
        for zone, (start, end) in enumerate(pairwise(edges), first_zone):
            regions[start:end][lungs[start:end] == side] = zone
    if len(spans) == 2:
        columns = np.arange(lungs.shape[1])
        right_edge = np.where(lungs == 1, columns, -1).max(axis=1, keepdims=True)
        left_edge = np.where(lungs == 2, columns, len(columns)).min(axis=1, keepdims=True)
        between = (columns > right_edge) & (columns < left_edge) & (right_edge >= 0) & (left_edge < len(columns))
        upper_end = round(np.mean([start + (end - start) / 3 for start, end in spans.values()]))
        below = (np.arange(len(lungs)) >= upper_end)[:, np.newaxis]
        regions[between & (regions == OUTSIDE)] = UPPER_MEDIASTINUM
        regions[below & (regions == UPPER_MEDIASTINUM)] = HEART
    return regions


def shares(heatmap: np.ndarray, regions: np.ndarray) -> dict[int, float] | None:
    """Share of a heatmap's sum in each of REGIONS, 0..1, adding up to 1; None for an empty map.

    heatmap: (rows, columns), >= 0, of any size; it is enlarged linearly, as it is when painted. regions: uint8
    (height, width). Raises ValueError for a value below 0 or none at all.
    """
    if not (heatmap >= 0).all():
        raise ValueError(f"Expected a heatmap of values of at least 0. Received: {heatmap.min()}.")
    painted = enlarged(heatmap, regions.shape).astype(np.float64)
    total = painted.sum()
    if total == 0:
        return None
    sums = np.bincount(regions.ravel(), painted.ravel(), minlength=len(REGIONS)) / total
    return {region: float(sums[region]) for region in REGIONS}


def in_lungs(share: dict[int, float]) -> float:
    """The part of shares() that lies in the six zones."""
    return sum(share[zone] for zone in ZONES)


def without_fragments(mask: np.ndarray) -> np.ndarray:
    """mask, bool (height, width), without its parts that are too small for a lung."""
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = boxes[:, cv2.CC_STAT_AREA] >= _FRAGMENT * mask.size
    large[0] = False
    return large[parts]

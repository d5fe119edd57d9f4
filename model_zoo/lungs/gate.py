"""Is this a frontal chest film? Measures of an image, and the doubts that follow from them. NumPy and OpenCV only.

The lung network looks once; what it found, what its deepest maps hold and the image itself are measured. A measure
beyond its limit is a doubt. The limits were set on validation films, and which measures count was chosen on pictures
that are no chest films (train/lungs/gate.py); export/gate/ holds them as gate.json, with reference.npz, and the rows of
measures that they came from and were tested on. A doubt is a warning for a person and stops nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cases.arrays import read_array
from cases.radiograph import Radiograph
from model_zoo.card import read_card
from model_zoo.lungs.card import EXPORT
from model_zoo.lungs.regions import LungFields, right_and_left, without_fragments
from model_zoo.registry import ExportError
from model_zoo.tables import read_measures

if TYPE_CHECKING:
    import pandas as pd

    from model_zoo.lungs.segmenter import LungSegmenter

GATE = EXPORT / "gate"
GATE_CARD = GATE / "gate.json"

# What a doubt can be. The first four stand for "no lungs found", three of them with what else is known.
NO_LUNGS, ONE_LUNG, TURNED, NEGATIVE = "no lungs", "one lung", "turned", "negative"
SHAPE, GRAIN, UNLIKE, COLOUR, BLANK, FLAT = "shape", "grain", "unlike", "colour", "blank", "flat"
DOUBTS = (NO_LUNGS, ONE_LUNG, TURNED, NEGATIVE, SHAPE, GRAIN, UNLIKE, COLOUR, BLANK, FLAT)
# measures() in the order of the rows' columns.
MEASURES = ("found", "sides", "solidity", "grain", "distance", "contrast", "flat")
# Measures whose being beyond the limit is a doubt by itself, and those that only explain one.
_DECISIVE = {"grain": GRAIN, "distance": UNLIKE}
_EXPLAINING = {"contrast": BLANK, "flat": FLAT}


@dataclass(frozen=True)
class GateCard:
    """network: sha256 of the lung network that the measures come from. lowest, highest: limits by measure, of MEASURES
    and `colour` (Radiograph.colour). rule, chosen_on: how the limits were set, and on which images. reference: whose
    features the distance is from. test_read: the days on which test films were read."""

    network: str
    lowest: dict
    highest: dict
    rule: str
    chosen_on: str
    reference: str
    test_read: tuple[str, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Reference:
    """What the deepest maps of the lung network hold on training films, each map's mean over the film: mean, float
    (maps,), and precision, the inverse of the covariance, float (maps, maps)."""

    mean: np.ndarray
    precision: np.ndarray

    def distance(self, features: np.ndarray) -> float:
        """Mahalanobis distance of features (maps,), >= 0 (Lee et al. 2018, "A simple unified framework for detecting
        out-of-distribution samples", here with one class and one layer)."""
        away = features - self.mean
        return float(np.sqrt(away @ self.precision @ away))


@dataclass(frozen=True, eq=False)
class Look:
    """fields: None where no lungs were found. doubts: why this may not be a frontal chest film; none where it seems to
    be one."""

    fields: LungFields | None
    doubts: tuple[str, ...]


class ChestGate:
    """The gate beside a lung network. Raises CardError and ExportError when what it needs is not there or is for
    another network."""

    def __init__(self, segmenter: "LungSegmenter", folder: Path = GATE):
        self.card = read_card(folder / GATE_CARD.name, GateCard)
        if self.card.network != segmenter.card.sha256:
            raise ExportError(
                f"{folder}: expected limits for the lung network with the sha256 {segmenter.card.sha256[:12]}. "
                f"Received: limits for {self.card.network[:12]}. `python -m train lungs gate` sets them anew."
            )
        self._segmenter = segmenter
        self._reference = read_reference(folder)

    def look(self, radiograph: Radiograph) -> Look:
        """One pass of the network; a second one, on the negative and on the turned image, where no lungs are found."""
        film = self._segmenter.input(radiograph.pixels)
        probability, features = self._segmenter.look(film[np.newaxis])
        fields = self._segmenter.fields(probability[0])
        measured = measures(_as_fine(radiograph.pixels, film), probability[0], fields, features[0], self._reference)
        doubts = doubts_of(measured, self.card, radiograph.colour)
        if fields is None and (other := self._other_way(film)):
            doubts = (other,)
        return Look(fields, doubts)

    def _other_way(self, film: np.ndarray) -> str | None:
        """What must be undone for lungs to be found, if anything."""
        turned = [np.rot90(film, quarters) for quarters in (1, 2, 3)]
        found = [self._segmenter.fields(one) for one in self._segmenter.probabilities(np.stack([255 - film, *turned]))]
        if found[0] is not None:
            return NEGATIVE
        return TURNED if any(one is not None for one in found[1:]) else None


def fingerprint() -> str:
    """Another one, another gate: other limits, or another network; "" without a gate."""
    return hashlib.sha256(GATE_CARD.read_bytes()).hexdigest() if GATE_CARD.is_file() else ""


def read_reference(folder: Path) -> Reference:
    """Raises ExportError for a file that is missing, damaged or something else."""
    path = folder / "reference.npz"
    try:
        return Reference(read_array(path, "mean"), read_array(path, "precision"))
    except ValueError:
        # What NumPy says of such files is of no help to a reader.
        received = "a damaged file, or another one" if path.exists() else "no such file"
        raise ExportError(
            f"{path}: expected the mean and the precision of features of training films. Received: {received}. Restore "
            "it with `git checkout`, or write it anew with `python -m train lungs gate`."
        ) from None


def measures(
    film: np.ndarray, probability: np.ndarray, fields: LungFields | None, features: np.ndarray, reference: Reference
) -> dict[str, float]:
    """The values of MEASURES.

    film: uint8 (side, side), as the network saw it. probability: (side, side), 0..1, of lung. fields: what was made of
    it. features: (maps,), as Reference's.

    found: 1 where fields are, else 0. sides: how many halves hold a part of a lung. solidity: the share of its convex
    hull that a lung fills, of the lung with less of it; 0 without lungs. grain: the mean strength of the Laplacian over
    the standard deviation of the grays plus 1. distance: Reference.distance. contrast: the standard deviation of the
    grays. flat: the share of pixels that are just as gray as those below and beside them.
    """
    grays = film.astype(np.float32)
    lungs = right_and_left(without_fragments(probability > 0.5)) if fields is None else fields.lungs
    contrast = float(grays.std())
    same = (np.diff(film, axis=0)[:, :-1] == 0) & (np.diff(film, axis=1)[:-1] == 0)
    return {
        "found": float(fields is not None),
        "sides": float(sum((lungs == side).any() for side in (1, 2))),
        "solidity": 0.0 if fields is None else min(_solidity(fields.lungs == side) for side in (1, 2)),
        "grain": float(np.abs(cv2.Laplacian(grays, cv2.CV_32F)).mean() / (contrast + 1)),
        "distance": reference.distance(features),
        "contrast": contrast,
        "flat": float(same.mean()),
    }


def doubts_of(measured: Mapping[str, float], card: GateCard, colour: float = 0.0) -> tuple[str, ...]:
    """Why an image with these measures may not be a frontal chest film. A measure that is not a number is beyond any
    limit. colour: Radiograph.colour."""

    def beyond(name: str, value: float) -> bool:
        return not card.lowest.get(name, -np.inf) <= value <= card.highest.get(name, np.inf)

    doubts = [COLOUR] if beyond("colour", colour) else []
    if not measured["found"]:
        doubts.append(ONE_LUNG if measured["sides"] == 1 else NO_LUNGS)
    elif beyond("solidity", measured["solidity"]):
        doubts.append(SHAPE)
    doubts += [doubt for name, doubt in _DECISIVE.items() if beyond(name, measured[name])]
    if doubts:
        doubts += [doubt for name, doubt in _EXPLAINING.items() if beyond(name, measured[name])]
    return tuple(doubts)


def read_gate_rows(name: str, folder: Path = GATE) -> "pd.DataFrame":
    """Rows of one set: image_id, patient_id, kind (of picture; "film" for films), MEASURES. Raises ExportError for a
    file that is missing, cut or edited into something else."""
    contents = "rows of the gate's measures, which `python -m train lungs gate` and `gate-test` write"
    columns, key = ("image_id", "patient_id", "kind", *MEASURES), ("image_id", "kind")
    return read_measures(folder / f"{name}.csv", contents, columns, key, ExportError, (0, 10_000))


def doubted(rows: "pd.DataFrame", card: GateCard) -> "pd.Series":
    """Per row of read_gate_rows, whether there is any doubt: 1.0 or 0.0."""
    import pandas as pd

    return pd.Series([float(bool(doubts_of(row, card))) for row in rows.to_dict("records")], rows.index)


def _as_fine(pixels: np.ndarray, film: np.ndarray) -> np.ndarray:
    """film, (side, side, 1), as measures() takes it. Where it was made from fewer pixels, the area resize repeats them,
    which looks like grain and like flat parts, so it is made anew without steps."""
    if min(pixels.shape) >= len(film):
        return film[..., 0]
    return cv2.resize(pixels, film.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _solidity(lung: np.ndarray) -> float:
    contours, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(lung.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(contours)), 1)
    return float(lung.sum() / hull.sum())

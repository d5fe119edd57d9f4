"""What all parts of the page performance show: a model on one set of rows, and the figures that no threshold moves."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cases.collections.base import LABEL_NAMES
from model_zoo import evaluation
from model_zoo.evaluation import Estimate
from model_zoo.registry import Export
from model_zoo.subgroups import Subgroup
from model_zoo.sweep import Sweep
from views.shared import cache, evidence, words
from views.shared.performance.operating_points import OperatingPoint, operating_points

# The slider's positions. Operating points lie between them.
STEPS = tuple(step / 1000 for step in range(1001))


@dataclass(frozen=True)
class Scene:
    """name: of the prediction set, whose rows these are. probability, label: their columns, (n,). patients: how many.
    fixed: evaluation.estimates at the card's threshold, of which the figures after the rates hold at every threshold.
    The curves and their bands are empty where a class that they need is absent."""

    export: Export
    name: str
    rows: pd.DataFrame
    probability: np.ndarray
    label: np.ndarray
    patients: int
    points: list[OperatingPoint]
    sweep: Sweep
    fixed: dict[str, Estimate]
    roc: pd.DataFrame
    roc_band: pd.DataFrame
    precision_recall: pd.DataFrame
    precision_recall_band: pd.DataFrame
    subgroups: list[Subgroup]

    @property
    def own_threshold(self) -> float:
        return self.export.card.threshold.value

    @property
    def prevalence(self) -> float:
        """The share of pneumonia among the rows."""
        return float(self.label.mean())

    @property
    def missing_class(self) -> str | None:
        """The class that no image has, one of LABEL_NAMES."""
        return next((name for label, name in enumerate(LABEL_NAMES) if not (self.label == label).any()), None)

    @property
    def about(self) -> str:
        """What the images are, for the foot of a picture."""
        synthetic = "SYNTHETIC images: " if evidence.is_synthetic(self.name) else ""
        images, patients = words.counted(len(self.rows), "image"), words.counted(self.patients, "patient")
        return f"{synthetic}{evidence.set_title(self.name)}, {images} of {patients}"


def set_scene(export: Export, name: str, rows: pd.DataFrame) -> Scene:
    points = operating_points(export)
    thresholds = tuple(sorted({*STEPS, *(point.threshold for point in points)}))
    both = rows["label"].nunique() == 2
    any_ill = bool(rows["label"].any())
    nothing = rows.iloc[:0]
    return Scene(
        export,
        name,
        rows,
        rows["probability"].to_numpy(),
        rows["label"].to_numpy(),
        rows["patient_id"].nunique(),
        points,
        cache.sweep(rows, thresholds),
        cache.estimates(rows, export.card.threshold.value),
        evaluation.thinned(evaluation.roc(rows), "specificity", "sensitivity") if both else nothing,
        cache.roc_band(rows) if both else nothing,
        evaluation.thinned(evaluation.precision_recall(rows), "sensitivity", "ppv") if any_ill else nothing,
        cache.precision_recall_band(rows) if any_ill else nothing,
        cache.subgroups(rows, thresholds),
    )

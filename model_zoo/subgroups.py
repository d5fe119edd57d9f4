"""On whom a model is wrong: kinds of pneumonia, and series of normal films, each against all of the other class."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from model_zoo.evaluation import auroc_interval
from model_zoo.intervals import Estimate
from model_zoo.sweep import sweep

# "IM-" of "test/NORMAL/IM-0001-0001.jpeg": the letters (and digits before a dash) that a film's number follows.
_SERIES = re.compile(r"([A-Za-z][A-Za-z0-9]*-)+(?=\d)")


@dataclass(frozen=True)
class Subgroup:
    """label: of its images. auroc: against all images of the other class. thresholds: (m,); right: (m, 3), the share
    of its images called right at each (sensitivity or specificity) with its interval, from a bootstrap of its own
    patients."""

    name: str
    label: int
    images: int
    patients: int
    auroc: Estimate
    thresholds: np.ndarray
    right: np.ndarray

    def right_at(self, threshold: float) -> Estimate:
        """threshold: one of thresholds."""
        return Estimate(*(float(value) for value in self.right[np.searchsorted(self.thresholds, threshold)]))


def subgroup(rows: pd.DataFrame) -> pd.Series:
    """Per row the name of its subgroup: the subtype of a pneumonia, the file series ("IM-", "NORMAL2-IM-") of a normal
    image, "" where neither is known. One image is no series: names of random digits and letters begin like one."""
    files = rows["image_id"].str.rpartition("/")[2]
    series = pd.Series([match.group() if (match := _SERIES.match(file)) else "" for file in files], index=rows.index)
    normal = rows["label"] != 1
    images = series[normal].value_counts()
    return series.where(series.map(images) > 1, "").where(normal, rows["subtype"])


def subgroups(rows: pd.DataFrame, thresholds: Sequence[float]) -> list[Subgroup]:
    """The known subgroups of the rows, pneumonias first, the largest first."""
    names, thresholds = subgroup(rows), np.unique(thresholds)
    found = []
    for (label, name), own in rows.groupby([rows["label"], names]):
        if not name:
            continue
        called = sweep(own, thresholds).share_called(label)
        found.append(
            Subgroup(
                name,
                int(label),
                len(own),
                int(own["patient_id"].nunique()),
                auroc_interval(pd.concat([own, rows[rows["label"] != label]])),
                thresholds,
                # What is right about a normal image is that it is not called; the ends of the interval change places.
                called if label == 1 else 1 - called[:, [0, 2, 1]],
            )
        )
    return sorted(found, key=lambda group: (-group.label, -group.images))

"""Which images of a prediction set a person wants to see, and in which order. Pure functions of rows.

Cases are prediction rows (predictions.COLUMNS) with what they can be filtered and sorted by:

    outcome    evaluation.outcome at the threshold in use
    kind       the subtype of a pneumonia or the series of a normal film as subgroups.subgroup names it, else the
               label's name
    belief     how probable the model held the true label, 0..1
    spread     the highest minus the lowest probability among all models, 0..1
    everyone, some, alone, all wrong
               bool: whether all, some or none of the other models call the image the same, and whether all models,
               this one included, are wrong. All False where no other model has seen the image
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cases.collections.base import LABEL_NAMES
from model_zoo import evaluation
from model_zoo.subgroups import subgroup

ALL = "all"
SORTS = ("least believed", "most believed", "probability", "disagreement", "patient")


@dataclass(frozen=True)
class Wanted:
    """What a person asked for; the defaults leave nothing out. low, high: probabilities, both included."""

    outcome: str = ALL
    kind: str = ALL
    low: float = 0.0
    high: float = 1.0
    agreement: str = ALL
    notes: str = ALL
    sort: str = SORTS[0]


def cases(rows: pd.DataFrame, threshold: float, opinions: pd.DataFrame, thresholds: pd.Series) -> pd.DataFrame:
    """The cases of a model's rows, at a threshold.

    opinions: probabilities of other models, one column each, row by row those of the same images; nan where a model has
    not seen one. thresholds: their operating points, by the names of those columns.
    """
    ill = rows["label"] == 1
    called = rows["probability"] >= threshold
    asked = opinions.notna().sum(axis=1)
    agreeing = (opinions.ge(thresholds).eq(called, axis=0) & opinions.notna()).sum(axis=1)
    unanimous = (asked > 0) & (agreeing == asked)
    voices = pd.concat([rows["probability"], opinions], axis=1)
    kind = subgroup(rows)
    return rows.assign(
        outcome=evaluation.outcome(rows, threshold),
        kind=kind.where(kind != "", np.where(ill, LABEL_NAMES[1], LABEL_NAMES[0])),
        belief=rows["probability"].where(ill, 1 - rows["probability"]),
        spread=voices.max(axis=1) - voices.min(axis=1),
        everyone=unanimous,
        some=(agreeing > 0) & (agreeing < asked),
        alone=(asked > 0) & (agreeing == 0),
        **{"all wrong": unanimous & (called != ill)},
    )


def opinions(rows: pd.DataFrame, others: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Probabilities of other models for the images of rows, in cases()'s form. others: their rows, by model id."""
    return pd.DataFrame(
        {
            model_id: rows["image_id"].map(other.set_index("image_id")["probability"])
            for model_id, other in others.items()
        },
        index=rows.index,
        dtype=float,
    )


def select(
    cases: pd.DataFrame, wanted: Wanted, noted: Collection[str], starred: Collection[str], keep: str | None = None
) -> pd.DataFrame:
    """The cases that are wanted, in the order wanted; ties stay in the order of the rows.

    noted, starred: ids of the images with a note or a star, and with a star. keep: an image that stays in its place
    even when a filter leaves it out.
    """
    chosen = cases["probability"].between(wanted.low, wanted.high)
    for column in ("outcome", "kind"):
        if (value := getattr(wanted, column)) != ALL:
            chosen &= cases[column] == value
    if wanted.agreement != ALL:
        chosen &= cases[wanted.agreement]
    if wanted.notes != ALL:
        marked = cases["image_id"].isin(starred if wanted.notes == "starred" else noted)
        chosen &= ~marked if wanted.notes == "without" else marked
    return _sorted(cases[chosen | (cases["image_id"] == keep)], wanted.sort)


def _sorted(cases: pd.DataFrame, sort: str) -> pd.DataFrame:
    column, ascending = {
        "least believed": ("belief", True),
        "most believed": ("belief", False),
        "probability": ("probability", False),
        "disagreement": ("spread", False),
        "patient": ("patient_id", True),
    }[sort]
    return cases.sort_values(column, ascending=ascending, kind="stable")


def share(text: str) -> float:
    """ "0.35" as a number from 0 to 1. Raises ValueError for anything else."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"expected a number from 0 to 1. Received: {text!r}.")
    return value


def span(text: str) -> tuple[float, float]:
    """ "0.2-0.8" as (0.2, 0.8): two numbers from 0 to 1, the lower one first. Raises ValueError for anything else."""
    low, high = (share(part) for part in text.split("-"))
    if low > high:
        raise ValueError(f"expected the lower number first. Received: {text!r}.")
    return low, high

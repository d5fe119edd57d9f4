"""What one model calls pneumonia at one threshold: the confusion matrix, and the scores of both classes.

A chart is a pair of functions: its specification, which does not change with the threshold, and its data. A move of the
threshold then sends data only, and the browser redraws what it already has.
"""

from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from cases.collections.base import LABEL_NAMES
from model_zoo.evaluation import Confusion
from views.shared.figures.style import INK, RIGHT_COLOUR, WRONG_COLOUR, in_ink

CELL = "cell"
HISTOGRAM_BINS = 40
# Bars of normal images reach below zero, and their counts are no less for it.
_WITHOUT_SIGN = "format(abs(datum.value), ',')"


@lru_cache
def confusion_matrix(ground: str) -> dict:
    """Counts at one operating point: rows the truth, columns what the model said, with each count's share of its row.

    Data: "cells", confusion_table. A click selects a cell as the parameter CELL, with the field "outcome", one of
    evaluation.OUTCOMES.
    """
    scale = alt.Scale(paddingInner=0.03, paddingOuter=0)
    quiet = {"grid": False, "domain": False, "ticks": False}
    base = alt.Chart(alt.NamedData("cells")).encode(
        x=alt.X("call:N", title="The model", scale=scale, axis=alt.Axis(orient="top", labelAngle=0, **quiet)),
        y=alt.Y("truth:N", title="The truth", scale=scale, axis=alt.Axis(labelAngle=-90, labelAlign="center", **quiet)),
        tooltip=[
            alt.Tooltip("name:N", title="cell"),
            alt.Tooltip("images:Q", title="images"),
            alt.Tooltip("share:N", title="share"),
        ],
    )
    tiles = base.mark_rect(cornerRadius=8, cursor="pointer").encode(color=alt.Color("colour:N", scale=None))
    tiles = tiles.add_params(alt.selection_point(name=CELL, fields=["outcome"], clear=False))
    text = {"color": "white", "cursor": "pointer"}
    count = base.mark_text(fontSize=30, fontWeight=600, dy=-14, **text).encode(text="images:Q")
    name = base.mark_text(fontSize=13, dy=14, **text).encode(text="name:N")
    share = base.mark_text(fontSize=13, dy=34, **text).encode(text="share:N")
    chart = in_ink((tiles + count + name + share).properties(height=360), ground).configure_view(strokeWidth=0)
    return chart.to_dict()


def confusion_table(cells: Confusion) -> pd.DataFrame:
    """The four cells with their shares of a row of the matrix, which are specificity, the false alarm rate, the miss
    rate and sensitivity. A row without images has counts only."""
    normal = cells.true_negatives + cells.false_positives
    ill = cells.false_negatives + cells.true_positives
    table = pd.DataFrame(
        [
            ("normal", "says normal", "true negative", cells.true_negatives, normal, RIGHT_COLOUR),
            ("normal", "says pneumonia", "false positive", cells.false_positives, normal, WRONG_COLOUR),
            ("pneumonia", "says normal", "false negative", cells.false_negatives, ill, WRONG_COLOUR),
            ("pneumonia", "says pneumonia", "true positive", cells.true_positives, ill, RIGHT_COLOUR),
        ],
        columns=["truth", "call", "outcome", "images", "of", "colour"],
    )
    table["name"] = table["outcome"] + "s"
    table["share"] = [
        f"{images / of:.1%} of {truth}" if of else ""
        for images, of, truth in zip(table["images"], table["of"], table["truth"], strict=True)
    ]
    return table


@lru_cache
def score_histogram(ground: str) -> dict:
    """How the probabilities of both classes are spread: pneumonias upwards, normal images downwards, coloured by
    whether the call is right. Data: "bars", score_table; "here", one row with the threshold."""
    bars = (
        alt.Chart(alt.NamedData("bars"))
        .mark_rect()
        .encode(
            x=alt.X("from:Q", title="Probability of pneumonia", scale=alt.Scale(domain=[0, 1])),
            x2="to:Q",
            y=alt.Y("base:Q", title="normal ←  images  → pneumonia", axis=alt.Axis(labelExpr=_WITHOUT_SIGN)),
            y2="end:Q",
            color=alt.Color("colour:N", scale=None),
            tooltip=[
                alt.Tooltip("truth:N", title="the truth"),
                alt.Tooltip("call:N", title="the model"),
                alt.Tooltip("range:N", title="probability"),
                alt.Tooltip("images:Q"),
            ],
        )
    )
    here = alt.Chart(alt.NamedData("here"))
    threshold = alt.Tooltip("threshold:Q", title="called pneumonia from", format=".3f")
    line = here.mark_rule(color=INK[ground], strokeWidth=2).encode(x="threshold:Q", tooltip=[threshold])
    zero = here.mark_rule(color=INK[ground], aria=False).encode(y=alt.datum(0))
    return in_ink(alt.layer(bars, zero, line).properties(height=360), ground).to_dict()


def score_table(probability: np.ndarray, label: np.ndarray, threshold: float) -> pd.DataFrame:
    """Images per class, bin of the probability and call: from, to, range, truth, call, images, base and end (of the
    bar, below zero for normal images, both calls of a bin stacked), colour. Parts without images are left out.
    probability, label: (n,)."""
    bins = np.minimum((probability * HISTOGRAM_BINS).astype(int), HISTOGRAM_BINS - 1)
    counts = np.bincount(4 * bins + 2 * label + (probability >= threshold), minlength=4 * HISTOGRAM_BINS)
    filled = np.flatnonzero(counts)
    bin_number, truth, called = filled // 4, filled // 2 % 2, filled % 2
    start, images = bin_number / HISTOGRAM_BINS, counts[filled]
    # Those called pneumonia stand on those of the same bin and class that are not.
    below, side = np.where(called == 1, counts[filled - called], 0), np.where(truth == 1, 1, -1)
    names = np.array(LABEL_NAMES)
    return pd.DataFrame(
        {
            "from": start,
            "to": start + 1 / HISTOGRAM_BINS,
            "range": [f"{low:.3f} to {low + 1 / HISTOGRAM_BINS:.3f}" for low in start],
            "truth": names[truth],
            "call": names[called],
            "images": images,
            "base": side * below,
            "end": side * (below + images),
            "colour": np.where(truth == called, RIGHT_COLOUR, WRONG_COLOUR),
        }
    )

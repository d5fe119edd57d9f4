"""What a model says of a person's own images."""

import altair as alt
import numpy as np
import pandas as pd

from cases.collections.base import LABEL_NAMES
from views.shared.figures.style import INK, QUIET_COLOUR, RIGHT_COLOUR, WRONG_COLOUR, in_ink

BINS = 20
_UNKNOWN = "not known"
_COLOURS = {LABEL_NAMES[0]: RIGHT_COLOUR, LABEL_NAMES[1]: WRONG_COLOUR, _UNKNOWN: QUIET_COLOUR}


def probability_histogram(rows: pd.DataFrame, threshold: float, ground: str) -> alt.LayerChart:
    """How many images got which probability, in BINS equal steps from 0 to 1, by label, with the operating point.

    rows: predictions.read_scores. threshold: 0..1. ground: "light" or "dark".
    """
    edges = np.linspace(0, 1, BINS + 1)
    labels = rows["label"].map(dict(enumerate(LABEL_NAMES))).fillna(_UNKNOWN)
    table = pd.concat(
        pd.DataFrame(
            {"low": edges[:-1], "high": edges[1:], "images": np.histogram(part["probability"], edges)[0], "label": name}
        )
        for name, part in rows.groupby(labels.to_numpy())
    )
    names = [name for name in _COLOURS if name in set(labels)]
    axis = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False)
    bars = (
        alt.Chart(table[table["images"] > 0])
        .mark_bar()
        .encode(
            x=alt.X("low:Q", bin="binned", title="Probability of pneumonia", scale=alt.Scale(domain=[0, 1]), axis=axis),
            x2="high:Q",
            y=alt.Y("images:Q", stack=True, title="Images", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "label:N",
                title="Label",
                scale=alt.Scale(domain=names, range=[_COLOURS[name] for name in names]),
                legend=alt.Legend(orient="top", labelColor=INK[ground], titleColor=INK[ground])
                if names != [_UNKNOWN]
                else None,
            ),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".2f"),
                alt.Tooltip("high:Q", title="to", format=".2f"),
                "images:Q",
                "label:N",
            ],
        )
    )
    here = alt.Chart(pd.DataFrame({"x": [threshold], "text": [f"operating point {threshold:.3f}"]})).encode(x="x:Q")
    left = threshold < 0.5
    rule = here.mark_rule(color=INK[ground], strokeWidth=2, strokeDash=[5, 3])
    text = here.mark_text(color=INK[ground], align="left" if left else "right", dx=6 if left else -6, y=8)
    return in_ink((bars + rule + text.encode(text="text:N")).properties(height=260), ground)

"""What a committee and each of its members say of one image."""

import altair as alt
import pandas as pd

from cases.collections.base import LABEL_NAMES
from views.shared.figures.style import INK, NORMAL_COLOUR, PNEUMONIA_COLOUR, QUIET_COLOUR


def members(table: pd.DataFrame, ground: str) -> alt.LayerChart:
    """One line per voice on one axis: its probability as a dot, its operating point as a stroke.

    table: title, probability 0..1, threshold 0..1, call (one of LABEL_NAMES) and said (the probability as a reader sees
    it); the committee is the first row and its probability runs through all lines, dashed. ground: "light" or "dark".
    """
    ink = INK[ground]
    table = table.assign(line=table["title"] + ": " + table["said"], weight=["bold"] + ["normal"] * (len(table) - 1))
    y = alt.Y("line:N", sort=table["line"].tolist(), axis=None)
    x = alt.X(
        "probability:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(
            values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False, domain=False, ticks=False, labelColor=ink
        ),
    )
    base = alt.Chart(table).encode(
        y=y,
        tooltip=[
            alt.Tooltip("title", title="model"),
            alt.Tooltip("said", title="probability"),
            alt.Tooltip("threshold", title="operating point", format=".3f"),
            alt.Tooltip("call", title="calls it"),
        ],
    )
    between = base.mark_rule(color=QUIET_COLOUR, strokeWidth=1.5).encode(x=x, x2="threshold:Q")
    stroke = base.mark_tick(color=ink, thickness=2, size=14).encode(x="threshold:Q")
    dot = base.mark_point(size=90, filled=True, opacity=1).encode(
        x=x,
        color=alt.Color(
            "call:N", scale=alt.Scale(domain=list(LABEL_NAMES), range=[NORMAL_COLOUR, PNEUMONIA_COLOUR]), legend=None
        ),
    )
    names = [
        base.transform_filter(alt.datum.weight == weight)
        .mark_text(align="left", dy=-15, color=ink, fontWeight=weight, limit=300)
        .encode(x=alt.value(0), text="line:N")
        for weight in ("bold", "normal")
    ]
    committee = alt.Chart(table[:1]).mark_rule(color=ink, strokeDash=[3, 3], opacity=0.7).encode(x=x)
    layers = alt.layer(committee, between, stroke, dot, *names)
    return layers.properties(height=alt.Step(42)).configure_view(strokeWidth=0)

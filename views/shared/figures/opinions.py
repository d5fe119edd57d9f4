"""What several models say of one image."""

import altair as alt
import pandas as pd

from views.shared.figures.style import INK, QUIET_COLOUR, RIGHT_COLOUR, WRONG_COLOUR, in_ink


def opinions(table: pd.DataFrame, ground: str) -> alt.LayerChart:
    """One line per model, in the order of the table: its probability as a dot, its operating point as a stroke.

    table: title, probability 0..1, threshold 0..1, call ("normal" or "pneumonia"), right (bool), said (the probability
    as a reader sees it). A cross stands for a wrong call, so that its colour is not needed.
    """
    table = table.assign(verdict=table["right"].map({True: "right", False: "wrong"}))
    table["line"] = table["title"] + "\n" + table["said"] + ", " + table["verdict"]
    order = table["line"].tolist()
    y = alt.Y(
        "line:N",
        title=None,
        sort=order,
        # Vega puts the first of two lines at the middle.
        axis=alt.Axis(labelExpr="split(datum.value, '\\n')", labelLimit=170, labelOffset=-6, domain=False, ticks=False),
    )
    x = alt.X(
        "probability:Q",
        title="Probability of pneumonia",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=False),
    )
    base = alt.Chart(table).encode(
        y=y,
        tooltip=[
            alt.Tooltip("title", title="model"),
            alt.Tooltip("said", title="probability"),
            alt.Tooltip("threshold", title="operating point", format=".3f"),
            alt.Tooltip("call", title="calls it"),
            alt.Tooltip("verdict", title="which is"),
        ],
    )
    between = base.mark_rule(color=QUIET_COLOUR, strokeWidth=1.5).encode(x=x, x2="threshold:Q")
    stroke = base.mark_tick(color=INK[ground], thickness=2, size=20).encode(x="threshold:Q")
    dot = base.mark_point(size=130, filled=True, opacity=1).encode(
        x=x,
        color=alt.Color(
            "verdict:N", scale=alt.Scale(domain=["right", "wrong"], range=[RIGHT_COLOUR, WRONG_COLOUR]), legend=None
        ),
        shape=alt.Shape(
            "verdict:N", scale=alt.Scale(domain=["right", "wrong"], range=["circle", "cross"]), legend=None
        ),
    )
    return in_ink((between + stroke + dot).properties(height=alt.Step(44)), ground).configure_view(strokeWidth=0)

"""How a training went: curves over its epochs, with the stages marked.

x is the epochs done: what was measured at the end of epoch 3 stands at 3.
"""

import altair as alt
import pandas as pd

from views.shared.figures.style import INK, LINE_COLOUR, QUIET_COLOUR, WRONG_COLOUR, in_ink

_HEIGHT = 280
# Above the plot, in pixels: the names of the stages are clear of the mark around the best epoch, the legend of them.
_NAMES, _ABOVE_NAMES = 11, 28


def curves(
    history: pd.DataFrame, columns: dict[str, str], title: str, best: int, ground: str, apart: bool = False
) -> alt.LayerChart:
    """Columns of a history as lines, the last of them from validation. columns: column -> name in the legend, one or
    two. best: the epoch that is marked. apart: no line leads from one stage to the next."""
    table = history.melt(["epoch", "stage"], list(columns), "column", "value")
    table["line"] = table["column"].map(columns)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    look = {"title": None, "labelColor": INK[ground], "symbolType": "stroke", "symbolStrokeWidth": 2, "symbolSize": 400}
    legend = alt.Legend(**look, orient="top", offset=_ABOVE_NAMES)
    colour, dash = (
        channel("line:N", scale=alt.Scale(domain=list(columns.values()), range=of[-len(columns) :]), legend=legend)
        for channel, of in ((alt.Color, [LINE_COLOUR, WRONG_COLOUR]), (alt.StrokeDash, [[4, 3], [1, 0]]))
    )
    lines = (
        alt.Chart(table)
        .mark_line(point=True, strokeWidth=2)
        .encode(
            _epochs("epoch", history),
            y,
            colour,
            dash,
            *([alt.Detail("stage:N")] if apart else []),
            tooltip=["epoch:Q", "stage:N", alt.Tooltip("line:N", title="on"), alt.Tooltip("value:Q", format=".4f")],
        )
    )
    here = (
        alt.Chart(table[(table["epoch"] == best) & (table["column"] == list(columns)[-1])])
        .mark_point(size=220, strokeWidth=2, color=INK[ground])
        .encode(x="epoch:Q", y="value:Q")
    )
    return _with_stages(lines + here, history, ground)


def learning_rate(history: pd.DataFrame, drawn: pd.DataFrame | None, ground: str) -> alt.LayerChart:
    """The rate at the end of each epoch, and where history.schedule could draw it, within the epochs."""
    y = alt.Y("learning_rate:Q", title="learning rate", axis=alt.Axis(format="~g"))
    tooltip = ["stage:N", alt.Tooltip("learning_rate:Q", title="learning rate", format=".2~e")]
    chart = (
        alt.Chart(history)
        .mark_point(filled=True, size=55, color=LINE_COLOUR, opacity=1)
        .encode(_epochs("epoch", history), y, tooltip=["epoch:Q", *tooltip])
    )
    if drawn is not None:
        line = alt.Chart(drawn).mark_line(strokeWidth=2, color=LINE_COLOUR)
        within = [alt.Tooltip("epochs:Q", title="epochs done", format=".2f"), *tooltip]
        chart = line.encode(_epochs("epochs", history), y, alt.Detail("stage:N"), tooltip=within) + chart
    return _with_stages(chart, history, ground)


def seconds(history: pd.DataFrame, ground: str) -> alt.LayerChart:
    """How long each epoch took."""
    bars = (
        alt.Chart(history.assign(start=history["epoch"] - 0.85, end=history["epoch"] - 0.15))
        .mark_rect(color=LINE_COLOUR, cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
        .encode(
            _epochs("start", history),
            x2="end:Q",
            y=alt.Y("seconds:Q", title="seconds"),
            y2=alt.datum(0),
            tooltip=["epoch:Q", "stage:N", alt.Tooltip("seconds:Q", format=",.1f")],
        )
    )
    return _with_stages(bars, history, ground)


def _epochs(field: str, history: pd.DataFrame) -> alt.X:
    scale = alt.Scale(domain=[0, len(history)], nice=False)
    return alt.X(f"{field}:Q", title="epochs", scale=scale, axis=alt.Axis(grid=False, tickMinStep=1, format="d"))


def _with_stages(chart: alt.Chart | alt.LayerChart, history: pd.DataFrame, ground: str) -> alt.LayerChart:
    """The chart over a band per stage with the stage's name, when there is more than one."""
    stages = history.groupby("stage", sort=False)["epoch"].agg(["min", "max"]).reset_index()
    if len(stages) > 1:
        stages["start"], stages["middle"] = stages["min"] - 1, (stages["min"] - 1 + stages["max"]) / 2
        base = alt.Chart(stages)
        bands = base.mark_rect(color=QUIET_COLOUR).encode(
            _epochs("start", history),
            x2="max:Q",
            opacity=alt.Opacity("stage:N", scale=alt.Scale(range=[0.05, 0.18]), sort=None, legend=None),
        )
        names = base.mark_text(color=INK[ground], baseline="bottom", fontWeight=600).encode(
            x="middle:Q", y=alt.value(-_NAMES), text="stage:N"
        )
        chart = bands + chart + names
    return in_ink(alt.layer(chart).properties(height=_HEIGHT), ground)

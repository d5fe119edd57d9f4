"""Evidence as Altair charts, from arrays and tables. Pure functions: no Streamlit, no files.

Colours are told apart with any kind of colour vision and are readable on light and dark ground, which a chart is told
as "light" or "dark". Whatever is not set here (fonts, grid colours) is left to Streamlit's theme.
"""

import altair as alt
import pandas as pd

from model_zoo.evaluation import Confusion

RIGHT_COLOUR, WRONG_COLOUR = "#2b7a8c", "#b8591d"
# For text: the theme's own axis labels have less than the contrast of 4.5 that small text needs, other text is black.
INK = {"light": "#3c4a52", "dark": "#c3ced3"}
CELL = "cell"
_LINE_COLOUR, _QUIET_COLOUR = "#2f93a6", "#8a979e"


def confusion_matrix(cells: Confusion, ground: str) -> alt.LayerChart:
    """Counts at one operating point: rows the truth, columns what the model said, with each count's share of its row.

    The shares of the lower row are the miss rate and sensitivity, those of the upper row specificity and the false
    alarm rate. A row without images shows its counts only. A click selects a cell as the parameter CELL, with the
    field "outcome", one of evaluation.OUTCOMES.
    """
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
    scale = alt.Scale(paddingInner=0.03, paddingOuter=0)
    quiet = {"grid": False, "domain": False, "ticks": False}
    base = alt.Chart(table).encode(
        x=alt.X("call:N", title="The model", scale=scale, axis=alt.Axis(orient="top", labelAngle=0, **quiet)),
        y=alt.Y("truth:N", title="The truth", scale=scale, axis=alt.Axis(labelAngle=-90, labelAlign="center", **quiet)),
        tooltip=[
            alt.Tooltip("name", title="cell"),
            alt.Tooltip("images", title="images"),
            alt.Tooltip("share", title="share"),
        ],
    )
    tiles = base.mark_rect(cornerRadius=8, cursor="pointer").encode(color=alt.Color("colour:N", scale=None))
    tiles = tiles.add_params(alt.selection_point(name=CELL, fields=["outcome"], clear=False))
    text = {"color": "white", "cursor": "pointer"}
    count = base.mark_text(fontSize=30, fontWeight=600, dy=-14, **text).encode(text="images:Q")
    name = base.mark_text(fontSize=13, dy=14, **text).encode(text="name:N")
    share = base.mark_text(fontSize=13, dy=34, **text).encode(text="share:N")
    return _in_ink((tiles + count + name + share).properties(height=360), ground).configure_view(strokeWidth=0)


def roc_curve(
    points: pd.DataFrame, band: pd.DataFrame, sensitivity: float, specificity: float, ground: str
) -> alt.LayerChart:
    """The ROC curve with a pointwise interval band and the operating point marked.

    points: evaluation.roc. band: evaluation.roc_band. sensitivity, specificity: of the operating point, 0..1; it is
    left out when either is nan.
    """
    points = points.assign(false_alarms=1 - points["specificity"], order=range(len(points)))
    band = band.assign(false_alarms=1 - band["specificity"]).dropna()
    axis = alt.Axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    x = alt.X(
        "false_alarms:Q",
        title="False alarms among the normal (1 − specificity)",
        scale=alt.Scale(domain=[0, 1]),
        axis=axis,
    )
    y = alt.Y("sensitivity:Q", title="Pneumonias caught (sensitivity)", scale=alt.Scale(domain=[0, 1]), axis=axis)
    chance = (
        alt.Chart(pd.DataFrame({"false_alarms": [0, 1], "sensitivity": [0, 1]}))
        .mark_line(color=_QUIET_COLOUR, strokeDash=[4, 4], strokeWidth=1)
        .encode(x, y)
    )
    interval = alt.Chart(band).mark_area(color=_LINE_COLOUR, opacity=0.22).encode(x, y=alt.Y("low:Q"), y2="high:Q")
    curve = (
        alt.Chart(points)
        .mark_line(color=_LINE_COLOUR, strokeWidth=2.5, clip=True)
        .encode(
            x,
            y,
            order="order:Q",
            tooltip=[
                alt.Tooltip("threshold:Q", title="called pneumonia from", format=".3f"),
                alt.Tooltip("sensitivity:Q", format=".3f"),
                alt.Tooltip("specificity:Q", format=".3f"),
            ],
        )
    )
    here = _operating_point(x, y, sensitivity, specificity, INK[ground])
    return _in_ink((chance + interval + curve + here).properties(height=360), ground)


def _in_ink(chart: alt.LayerChart, ground: str) -> alt.LayerChart:
    return chart.configure_axis(labelColor=INK[ground], titleColor=INK[ground])


def _operating_point(x: alt.X, y: alt.Y, sensitivity: float, specificity: float, ink: str) -> alt.LayerChart:
    here = pd.DataFrame({"false_alarms": [1 - specificity], "sensitivity": [sensitivity], "specificity": [specificity]})
    base = alt.Chart(here.dropna()).encode(
        x,
        y,
        tooltip=[
            alt.Tooltip("sensitivity:Q", title="operating point: sensitivity", format=".3f"),
            alt.Tooltip("specificity:Q", format=".3f"),
        ],
    )
    # Beside the point on the side that the curve, which bulges to the upper left, leaves free.
    left = specificity < 0.5
    label = base.mark_text(
        text="operating point",
        color=ink,
        fontWeight=600,
        dy=20,
        dx=-8 if left else 8,
        align="right" if left else "left",
    )
    return base.mark_point(filled=True, size=110, color=WRONG_COLOUR, opacity=1) + label

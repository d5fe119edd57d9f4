"""All operating points of one model: the ROC and the precision-recall curve, with the chosen point on them.

A specification and its data are apart, as in performance.py. Data of both: "curve", "band", "here" (the operating
point, no row where it has none) and "chance" (guessing), each with the curve's two axes as columns. The band has "low"
and "high" in place of its vertical one, the curve "threshold" too.
"""

from functools import lru_cache

import altair as alt
import pandas as pd

from views.shared.figures.style import LINE_COLOUR, QUIET_COLOUR, WRONG_COLOUR, in_ink


@lru_cache
def roc_curve(ground: str) -> dict:
    x = ("false_alarms", "False alarms among the normal (1 − specificity)")
    return _chart(x, ("sensitivity", "Pneumonias caught (sensitivity)"), "linear", ground)


def roc_tables(points: pd.DataFrame, band: pd.DataFrame, sensitivity: float, specificity: float) -> dict:
    """points: evaluation.roc. band: evaluation.roc_band. sensitivity, specificity: of the operating point, 0..1; it is
    left out when either is nan."""
    return {
        "curve": points.assign(false_alarms=1 - points["specificity"]),
        "band": band.assign(false_alarms=1 - band["specificity"]).dropna(),
        "here": pd.DataFrame({"false_alarms": [1 - specificity], "sensitivity": [sensitivity]}).dropna(),
        "chance": pd.DataFrame({"false_alarms": [0.0, 1.0], "sensitivity": [0.0, 1.0]}),
    }


@lru_cache
def precision_recall_curve(ground: str) -> dict:
    x = ("sensitivity", "Pneumonias caught (sensitivity, recall)")
    return _chart(x, ("ppv", "True among the alarms (precision)"), "step-before", ground)


def precision_recall_tables(
    points: pd.DataFrame, band: pd.DataFrame, sensitivity: float, ppv: float, prevalence: float
) -> dict:
    """points: evaluation.precision_recall. band: evaluation.precision_recall_band. sensitivity, ppv: of the operating
    point, 0..1; it is left out when either is nan. prevalence: share of pneumonia, which is guessing's precision."""
    return {
        "curve": points,
        "band": band.dropna(),
        "here": pd.DataFrame({"sensitivity": [sensitivity], "ppv": [ppv]}).dropna(),
        "chance": pd.DataFrame({"sensitivity": [0.0, 1.0], "ppv": [prevalence, prevalence]}),
    }


def _chart(across: tuple[str, str], up: tuple[str, str], interpolate: str, ground: str) -> dict:
    """across, up: column and title of the axes."""
    settings = {"scale": alt.Scale(domain=[0, 1]), "axis": alt.Axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1])}
    x, y = (kind(f"{name}:Q", title=title, **settings) for kind, (name, title) in ((alt.X, across), (alt.Y, up)))
    values = [alt.Tooltip(f"{name}:Q", title=title, format=".3f") for name, title in (across, up)]

    def layer(name: str, *tooltips: alt.Tooltip) -> alt.Chart:
        return alt.Chart(alt.NamedData(name)).encode(x, y, tooltip=list(tooltips))

    chance = layer("chance").mark_line(color=QUIET_COLOUR, strokeDash=[4, 4], strokeWidth=1)
    band = layer("band").mark_area(color=LINE_COLOUR, opacity=0.22).encode(y="low:Q", y2="high:Q")
    curve = (
        layer("curve", alt.Tooltip("threshold:Q", title="called pneumonia from", format=".3f"), *values)
        .mark_line(color=LINE_COLOUR, strokeWidth=2.5, clip=True, interpolate=interpolate)
        .encode(order="place:Q")
        # Lines are drawn in the order of the rows, not along one axis: steps go straight up and straight aside.
        .transform_window([alt.WindowFieldDef(op="row_number", **{"as": "place"})])
    )
    point = layer("here", *values).mark_point(filled=True, size=110, color=WRONG_COLOUR, opacity=1)
    return in_ink(alt.layer(chance, band, curve, point).properties(height=360), ground).to_dict()

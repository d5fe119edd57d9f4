"""Several models side by side: ROC curves overlaid, and the matrix of their agreement."""

from collections.abc import Collection

import altair as alt
import pandas as pd

from model_zoo.evaluation import thinned
from views.shared.figures.style import COLOURS, INK, QUIET_COLOUR, in_ink

# How the colours come: drawn through, then dashed, then dotted.
_DASHES = ((1, 0), (6, 3), (2, 2))
_DOTS = (2, 3)
# Points of a drawn curve: more cannot be seen.
_POINTS = 200
# Up to so many models, the cells of the matrix have room for larger figures on a phone too.
_ROOMY = 7
_PALE, _DARK = "#dbe9ec", "#1d5c6b"
# How far from pale to dark black and white text have the same contrast with a tile, 4.5.
_SWITCH = 0.76


def roc_curves(
    curves: dict[str, pd.DataFrame],
    points: dict[str, tuple[float, float]],
    ground: str,
    baselines: Collection[str] = (),
) -> alt.LayerChart:
    """ROC curves of several models, each with its operating point.

    curves: per model's name its evaluation.roc. points: per name sensitivity and specificity. Hovering thickens a
    curve, a click on the legend lets the others fade. A name keeps its colour as long as the names stay the same.
    baselines: names that are dotted in ink, so that they are not taken for networks.
    """
    names = list(curves)
    drawn = {name: thinned(curve, "specificity", "sensitivity", _POINTS) for name, curve in curves.items()}
    table = pd.concat(
        [curve.assign(model=name, order=range(len(curve))) for name, curve in drawn.items()], ignore_index=True
    )
    table["false_alarms"] = 1 - table["specificity"]
    here = pd.DataFrame([(name, *points[name]) for name in names], columns=["model", "sensitivity", "specificity"])
    here["false_alarms"] = 1 - here["specificity"]
    axis = alt.Axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    share = alt.Scale(domain=[0, 1])
    x = alt.X("false_alarms:Q", title="False alarms among the normal (1 − specificity)", scale=share, axis=axis)
    y = alt.Y("sensitivity:Q", title="Pneumonias caught (sensitivity)", scale=share, axis=axis)
    legend = alt.Legend(
        title=None,
        orient="bottom",
        # On a phone two columns do not fit.
        columns=1,
        labelColor=INK[ground],
        labelLimit=230,
        symbolType="stroke",
        symbolStrokeWidth=3,
    )
    range_ = [COLOURS[i % len(COLOURS)] for i in range(len(names))]
    dashes = [_DASHES[i // len(COLOURS) % len(_DASHES)] for i in range(len(names))]
    for i, name in enumerate(names):
        if name in baselines:
            range_[i], dashes[i] = INK[ground], _DOTS
    colour = alt.Color("model:N", scale=alt.Scale(domain=names, range=range_), legend=legend)
    dash = alt.StrokeDash("model:N", scale=alt.Scale(domain=names, range=dashes), legend=legend)
    hovered = alt.selection_point(name="hovered", fields=["model"], on="pointerover", clear="pointerout", empty=False)
    picked = alt.selection_point(name="picked", fields=["model"], bind="legend")
    faded = alt.when(picked).then(alt.value(1)).otherwise(alt.value(0.12))
    rates = [alt.Tooltip("sensitivity:Q", format=".3f"), alt.Tooltip("specificity:Q", format=".3f")]
    lines = (
        alt.Chart(table)
        .mark_line(clip=True)
        .encode(
            x,
            y,
            colour,
            dash,
            order="order:Q",
            opacity=faded,
            strokeWidth=alt.when(hovered).then(alt.value(4.5)).otherwise(alt.value(2)),
            tooltip=["model:N", alt.Tooltip("threshold:Q", title="called pneumonia from", format=".3f"), *rates],
        )
        .add_params(hovered, picked)
    )
    marks = (
        alt.Chart(here.dropna())
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x, y, colour, opacity=faded, tooltip=["model:N", *rates])
    )
    chance = (
        alt.Chart(pd.DataFrame({"false_alarms": [0, 1], "sensitivity": [0, 1]}))
        .mark_line(color=QUIET_COLOUR, strokeDash=[4, 4], strokeWidth=1)
        .encode(x, y)
    )
    return in_ink((chance + lines + marks).properties(height=460 + 20 * len(names)), ground)


def agreement_matrix(pairs: pd.DataFrame, names: list[str], measure: str, ground: str) -> alt.LayerChart:
    """comparison.agreement as a matrix, with names in first and second, in the order of names.

    measure: "share" or "kappa". It is written on the tiles where they are wide enough.
    """
    lowest = pairs[measure].min()
    lowest = 0.0 if pd.isna(lowest) else min(lowest, 0.99)
    dark = lowest + _SWITCH * (1 - lowest)
    pairs = pairs.assign(written=pairs[measure].map(_share if measure == "share" else _kappa))
    axis = {"title": None, "grid": False, "domain": False, "ticks": False, "labelLimit": 150}
    base = alt.Chart(pairs).encode(
        x=alt.X(
            "second:N",
            sort=names,
            axis=alt.Axis(**axis, labelAngle=-90, labelOverlap=False),
            scale=alt.Scale(paddingInner=0.04),
        ),
        y=alt.Y("first:N", sort=names, axis=alt.Axis(**axis), scale=alt.Scale(paddingInner=0.04)),
        tooltip=[
            alt.Tooltip("first:N", title="one"),
            alt.Tooltip("second:N", title="other"),
            alt.Tooltip("share:Q", title="called alike", format=".1%"),
            alt.Tooltip("kappa:Q", title="Cohen's kappa", format=".3f"),
        ],
    )
    scale = alt.Scale(domain=[lowest, 1], range=[_PALE, _DARK])
    tiles = base.mark_rect(cornerRadius=4).encode(color=alt.Color(f"{measure}:Q", scale=scale, legend=None))
    size = 13 if len(names) <= _ROOMY else 9
    fits = f"width > {2.5 * size * len(names)} ? 1 : 0"
    text = base.mark_text(fontSize=size, fontWeight=600, opacity=alt.ExprRef(fits)).encode(
        text="written:N",
        color=alt.when(alt.datum[measure] > dark).then(alt.value("white")).otherwise(alt.value("black")),
    )
    chart = (tiles + text).properties(height=90 + 42 * len(names))
    return in_ink(chart, ground).configure_view(strokeWidth=0)


def _kappa(value: float) -> str:
    return "none" if pd.isna(value) else f"{value:.2f}"


def _share(value: float) -> str:
    """Whole percents; 100% only when exact: models that differ on one image are not alike."""
    return ">99%" if 0.995 <= value < 1 else f"{value:.0%}"

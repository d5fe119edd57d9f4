"""AUROC with a part of the films blanked: one line per change, or per model and change."""

import altair as alt
import pandas as pd

from views.shared.figures.style import COLOURS, INK, LINE_COLOUR, SHAPES, in_ink

_COLOURS = tuple(COLOURS[place] for place in (6, 0, 2, 3, 5))
_TOOLTIP = [
    alt.Tooltip("blanked", title="blanked"),
    alt.Tooltip("said", title="AUROC"),
]


def _axis(field: str, lowest: float) -> alt.X:
    """From below chance, or below the lowest figure, to 1."""
    scale = alt.Scale(domain=[min(0.45, lowest - 0.02), 1], nice=False, zero=False)
    return alt.X(
        f"{field}:Q", title="AUROC", scale=scale, axis=alt.Axis(format=".1f", values=[0.1 * n for n in range(11)])
    )


def one_model(table: pd.DataFrame, blind: float | None, ground: str) -> alt.LayerChart:
    """A model's AUROC with its interval after each change, in the order of the table, and a ring where it would be if
    only the lungs were read.

    table: blanked, auroc, low, high, expected (all 0..1), said (AUROC and interval as a reader sees them). blind: AUROC
    of the baseline that sees no pixel, drawn as a line; None without one.
    """
    y = alt.Y("blanked:N", title="Blanked", sort=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=130))
    lowest = table["low"].min()
    base = alt.Chart(table).encode(y=y, tooltip=_TOOLTIP)
    layers = [
        base.mark_rule(color=LINE_COLOUR, strokeWidth=2.5).encode(x=_axis("low", lowest), x2="high:Q"),
        base.mark_point(size=110, filled=True, opacity=1, color=LINE_COLOUR).encode(x=_axis("auroc", lowest)),
        base.mark_point(size=260, filled=False, strokeWidth=1.8, color=INK[ground]).encode(x=_axis("expected", lowest)),
    ]
    if blind is not None:
        layers.insert(0, _line(blind, lowest, ground))
    return in_ink(alt.layer(*layers).properties(height=alt.Step(46)), ground).configure_view(strokeWidth=0)


def all_models(table: pd.DataFrame, blanked: list[str], blind: float | None, ground: str) -> alt.LayerChart:
    """A line per model, in the order of the table, with a mark for each change.

    table: model, blanked, auroc 0..1, said. blanked: the changes, in the order of the legend. blind: as in one_model().
    """
    y = alt.Y("model:N", title=None, sort=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=150))
    lowest = table["auroc"].min()
    legend = alt.Legend(title="Blanked", orient="bottom", columns=1, labelColor=INK[ground], titleColor=INK[ground])
    base = alt.Chart(table).encode(y=y, tooltip=[alt.Tooltip("model"), *_TOOLTIP])
    marks = base.mark_point(size=90, filled=True, opacity=0.95).encode(
        x=_axis("auroc", lowest),
        color=alt.Color("blanked:N", scale=alt.Scale(domain=blanked, range=_COLOURS), legend=legend),
        shape=alt.Shape("blanked:N", scale=alt.Scale(domain=blanked, range=SHAPES), legend=legend),
    )
    layers = [marks] if blind is None else [_line(blind, lowest, ground), marks]
    return in_ink(alt.layer(*layers).properties(height=alt.Step(34)), ground).configure_view(strokeWidth=0)


def _line(auroc: float, lowest: float, ground: str) -> alt.Chart:
    return (
        alt.Chart(pd.DataFrame({"auroc": [auroc]}))
        .mark_rule(color=INK[ground], strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=_axis("auroc", lowest))
    )

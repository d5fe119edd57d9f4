"""What the maps of several models and methods are worth by one measure, with what a map that looks at no film gets.

A chart of layers with its own rows, because one of facets does not take the width of the page.
"""

import altair as alt
import pandas as pd

from views.shared.figures.style import COLOURS, INK, QUIET_COLOUR, SHAPES, in_ink

# Height of an interval, in pixels.
_ROW = 13


def audit_chart(
    figures: pd.DataFrame, blind: pd.DataFrame, methods: list[str], title: str, ground: str
) -> alt.LayerChart:
    """Below each model's name one point with its 95% interval per method, and a stroke per blind map.

    figures: model, method, value, low, high. blind: model, map, value; the first map's strokes are in ink, and the
    others pale. methods: all that there are, so that each keeps its colour and shape whatever is shown. title: of the
    axis.
    """
    models, shown = list(figures["model"].unique()), [name for name in methods if name in set(figures["method"])]
    # A row for the name, one for each method, and a gap.
    block = len(shown) + 2
    first = {model: number * block for number, model in enumerate(models)}
    figures = figures.assign(row=figures["model"].map(first) + 1 + figures["method"].map(shown.index))
    blind = blind.assign(top=blind["model"].map(first) + 0.5, bottom=lambda table: table["top"] + len(shown))
    names = pd.DataFrame({"model": models, "row": [first[model] - 0.1 for model in models]})
    lowest = min([0.0, *figures["low"], *blind["value"]])
    rows = alt.Scale(domain=[-0.8, len(models) * block - 1], reverse=True)
    x = alt.X("value:Q", title=title, scale=alt.Scale(domain=[lowest, 1]))
    y = alt.Y("row:Q", axis=None, scale=rows)
    maps = list(blind["map"].unique())
    look = {"title": None, "labelColor": INK[ground], "symbolOpacity": 1}
    stroke = alt.Color(
        "map:N",
        scale=alt.Scale(domain=maps, range=[INK[ground], QUIET_COLOUR][: len(maps)]),
        legend=alt.Legend(**look, orient="bottom", symbolType="stroke", symbolStrokeWidth=2, symbolSize=150),
    )
    value = alt.Tooltip("value:Q", format=".3f")
    strokes = alt.Chart(blind).mark_rule(strokeWidth=1.5)
    strokes = strokes.encode(x, alt.Y("top:Q", axis=None, scale=rows), y2="bottom:Q", color=stroke)
    strokes = strokes.encode(tooltip=["model:N", alt.Tooltip("map:N", title="blind map"), value])
    places = [methods.index(name) for name in shown]
    legend = alt.Legend(**look, orient="top", columns=2, symbolSize=70)
    colour, shape = (
        channel(
            "method:N", scale=alt.Scale(domain=shown, range=[of[place % len(of)] for place in places]), legend=legend
        )
        for channel, of in ((alt.Color, COLOURS), (alt.Shape, SHAPES))
    )
    ends = [alt.Tooltip(f"{end}:Q", format=".3f") for end in ("low", "high")]
    base = alt.Chart(figures).encode(y=y, color=colour, tooltip=["model:N", "method:N", value, *ends])
    spans = base.mark_rule(strokeWidth=2.5).encode(alt.X("low:Q", title=title), x2="high:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x, shape=shape)
    headings = alt.Chart(names).mark_text(align="left", fontWeight=600, color=INK[ground])
    headings = headings.encode(x=alt.datum(lowest), y=y, text="model:N")
    chart = alt.layer(strokes, alt.layer(spans, points), headings).resolve_scale(
        color="independent", shape="independent"
    )
    return in_ink(chart.properties(height=80 + _ROW * block * len(models)), ground).configure_view(strokeWidth=0)

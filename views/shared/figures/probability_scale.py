"""A probability and its operating point drawn on one scale from 0 to 1."""

from functools import lru_cache

import altair as alt
import pandas as pd

from views.shared.figures.style import INK, NORMAL_COLOUR, PNEUMONIA_COLOUR

# Narrower zones have no room for their name.
_NAMED_WIDTH = 0.3


@lru_cache(maxsize=512)
def probability_scale(probability: float, threshold: float, ground: str) -> dict:
    """Vega-Lite of the zones that the model calls normal and pneumonia, and of where this image falls.

    probability, threshold: 0..1. ground: "light" or "dark". Kept, because every move of a control beside it asks again.
    """
    ink = INK[ground]
    return (
        (_zones(threshold, ink) + _operating_point(threshold, ink) + _this_image(probability, ink))
        .properties(height=112)
        .configure_view(strokeWidth=0)
        .to_dict()
    )


def _zones(threshold: float, ink: str) -> alt.LayerChart:
    zones = pd.DataFrame(
        {
            "start": [0.0, threshold],
            "end": [threshold, 1.0],
            "middle": [threshold / 2, (1 + threshold) / 2],
            "name": ["called normal", "called pneumonia"],
            "colour": [NORMAL_COLOUR, PNEUMONIA_COLOUR],
        }
    )
    axis = alt.Axis(
        values=[0, 0.25, 0.5, 0.75, 1], grid=False, domain=False, ticks=False, format=".2~f", labelColor=ink
    )
    x = alt.X("start:Q", title=None, scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)
    bar = alt.Chart(zones).mark_rect(cornerRadius=3)
    names = alt.Chart(zones[zones["end"] - zones["start"] >= _NAMED_WIDTH]).mark_text(color="white", fontWeight=600)
    return bar.encode(
        x, x2="end", y=alt.value(26), y2=alt.value(50), color=alt.Color("colour:N", scale=None), tooltip="name"
    ) + names.encode(x="middle:Q", y=alt.value(38), text="name")


def _operating_point(threshold: float, ink: str) -> alt.LayerChart:
    here = alt.Chart(pd.DataFrame({"x": [threshold], "text": [f"operating point {threshold:.3f}"]})).encode(x="x:Q")
    rule = here.mark_rule(color=ink, strokeWidth=2).encode(y=alt.value(24), y2=alt.value(68))
    return rule + here.mark_text(color=ink, **_towards_the_middle(threshold)).encode(y=alt.value(64), text="text")


def _this_image(probability: float, ink: str) -> alt.LayerChart:
    here = alt.Chart(pd.DataFrame({"x": [probability], "text": ["this image"]})).encode(x="x:Q")
    pin = here.mark_point(shape="triangle-down", size=200, filled=True, opacity=1, color=ink).encode(y=alt.value(17))
    text = here.mark_text(color=ink, fontWeight=600, **_towards_the_middle(probability, gap=12))
    return pin + text.encode(y=alt.value(14), text="text")


def _towards_the_middle(x: float, gap: int = 6) -> dict:
    """Text that starts at x and runs to the side where there is room."""
    return {"align": "left", "dx": gap} if x < 0.5 else {"align": "right", "dx": -gap}

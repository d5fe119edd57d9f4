"""Whether probabilities mean what they say: the reliability diagram.

Specification and data are apart, as in performance.py.
"""

from functools import lru_cache

import altair as alt

from views.shared.figures.style import LINE_COLOUR, QUIET_COLOUR, in_ink


@lru_cache
def reliability_diagram(ground: str) -> dict:
    """Data: "bins", calibration.reliability; "perfect", the columns probability and share of the line of perfection."""
    axis = alt.Axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    x = alt.X("probability:Q", title="The model's probability", scale=alt.Scale(domain=[0, 1]), axis=axis)
    y = alt.Y("share:Q", title="Share that really had pneumonia", scale=alt.Scale(domain=[0, 1]), axis=axis)
    perfect = (
        alt.Chart(alt.NamedData("perfect")).mark_line(color=QUIET_COLOUR, strokeDash=[4, 4], strokeWidth=1).encode(x, y)
    )
    bins = alt.Chart(alt.NamedData("bins")).encode(
        x,
        tooltip=[
            alt.Tooltip("probability:Q", title="mean probability", format=".3f"),
            alt.Tooltip("share:Q", title="share with pneumonia", format=".3f"),
            alt.Tooltip("low:Q", title="95% from", format=".3f"),
            alt.Tooltip("high:Q", title="95% to", format=".3f"),
            alt.Tooltip("images:Q"),
            alt.Tooltip("patients:Q"),
        ],
    )
    interval = bins.mark_rule(color=LINE_COLOUR, strokeWidth=2, opacity=0.6).encode(y=alt.Y("low:Q"), y2="high:Q")
    size = alt.Size("images:Q", scale=alt.Scale(range=[40, 500]), legend=None)
    share = bins.mark_point(filled=True, color=LINE_COLOUR, opacity=1).encode(y=y, size=size)
    return in_ink((perfect + interval + share).properties(height=360), ground).to_dict()

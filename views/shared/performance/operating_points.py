"""The one control of the page performance: from which probability on an image is called pneumonia.

Operating points are computed from the model's validation rows, never from the rows that the page shows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from model_zoo.operating import at_sensitivity, youden
from model_zoo.predictions import PredictionsError
from model_zoo.registry import Export
from model_zoo.selection import share
from views.shared import address, cache, evidence, words
from views.shared.frame import ground

KEY = "performance.threshold"
# Earlier cards have their threshold with six decimals: what is computed within that is the model's own.
_AS_CARDS_ROUND = 1e-6
# The page is long, and what the slider moves is all over it.
_STICKY = """<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-threshold) {{
    position: sticky; top: 3.5rem; z-index: 90; background: {background}; padding-bottom: 0.5rem;
}}
.stMain {{ scroll-padding-top: 11rem; }}
</style>"""


@dataclass(frozen=True)
class OperatingPoint:
    """origin: where the threshold comes from, the end of a sentence in Markdown. parameter: as the address has it; None
    for the model's own, which an address without a threshold means."""

    title: str
    threshold: float
    origin: str
    parameter: str | None


def operating_points(export: Export) -> list[OperatingPoint]:
    """The model's own, those that can be computed on its validation rows, and 0.5. The first is the model's own."""
    own = export.card.threshold
    chosen_on = evidence.set_title(own.chosen_on)
    found = [OperatingPoint("As chosen", own.value, f"{words.plain(own.rule)}, chosen on {chosen_on}", None)]
    rules = {
        "Sensitivity 95%": (lambda p, y: at_sensitivity(p, y, 0.95), "the highest that catches 95% of the pneumonias"),
        "Youden": (youden, "the highest sum of sensitivity and specificity"),
    }
    try:
        validation = cache.predictions(export, own.chosen_on)
    except PredictionsError:
        rules = {}
    for title, (rule, origin) in rules.items():
        try:
            threshold = rule(validation["probability"].to_numpy(), validation["label"].to_numpy())
        except ValueError:
            # The validation rows lack a class.
            continue
        if abs(threshold - own.value) < _AS_CARDS_ROUND:
            threshold = own.value
        found.append(OperatingPoint(title, threshold, f"{origin}, computed on {chosen_on}", str(threshold)))
    return [*found, OperatingPoint("0.5", 0.5, "more likely than not; chosen on no images", "0.5")]


def choose_threshold(points: list[OperatingPoint]) -> float:
    """The buttons, the slider and what they mean. points: operating_points; the first is the default."""
    threshold = addressed(points[0].threshold, lambda: points)
    st.header("Where the line is drawn: the operating point", anchor=False)
    with st.container(horizontal=True, gap="small"):
        for point in points:
            st.button(
                f"{point.title}: {point.threshold:.3f}" if point.title != "0.5" else "0.5",
                # As another type it would be another button to the browser, which loses the keyboard's place.
                icon=":material/check:" if point.threshold == threshold else None,
                on_click=address.choose,
                kwargs={"threshold": point.parameter},
                help=_sentence(point),
                key=f"performance.point.{point.title}",
            )
    address.place(KEY, threshold)
    st.html(_STICKY.format(background=st.get_option(f"theme.{ground()}.backgroundColor")))
    with st.container(key="threshold"):
        st.slider(
            "Call an image pneumonia from this probability on",
            0.0,
            1.0,
            step=0.001,
            format="%.3f",
            key=KEY,
            on_change=_moved,
        )
    here = [point for point in points if point.threshold == threshold]
    if here:
        st.caption(" ".join(_sentence(point) for point in here))
    else:
        st.caption(
            f"{threshold:.3f} was picked by hand, while looking at these very images: it shows what would happen, and "
            "flatters a model that is then judged by it."
        )
    if len(points) < 4:
        st.caption(
            "Other operating points would have to be computed on the model's validation rows, which are not here, "
            "cannot be used or lack a class. They are never computed on the images that are shown."
        )
    return threshold


def _sentence(point: OperatingPoint) -> str:
    return f"{point.title} ({point.threshold:.3f}): {point.origin}."


def addressed(own: float, points: Callable[[], list[OperatingPoint]]) -> float:
    """The address's threshold: an operating point, or else one of the slider's positions; own where it has none.

    points: finds operating_points, which takes longer than a page without a threshold in its address need wait."""
    value = address.parsed("threshold", share, "a number from 0 to 1")
    if value is None:
        return own
    return value if value in [point.threshold for point in points()] else round(value, 3)


def _moved() -> None:
    address.choose(threshold=f"{st.session_state[KEY]:.3f}")

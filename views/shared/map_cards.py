"""Heatmaps of one film beside each other: a grid of cards, each with a picture and what belongs to it in words."""

from contextlib import contextmanager

import numpy as np
import streamlit as st

from model_zoo.overlay import overlay, relative_strength
from views.shared import synthetic
from views.shared.picker import Case

_CSS = """<style>
.st-key-map_cards {
    display: grid; gap: 1rem;
    grid-template-columns: repeat(auto-fill, minmax(max(9.5rem, calc(100% / 4 - 1rem)), 1fr));
}
.st-key-map_cards > div { width: 100% !important; min-width: 0; }
.st-key-map_cards [class*="st-key-map_card_"] { gap: 0.4rem; }
</style>"""


@contextmanager
def grid():
    """The place of the cards; a narrow screen shows two in a row, a wide one four."""
    st.html(_CSS)
    with st.container(horizontal=True, key="map_cards"):
        yield


@contextmanager
def card(key: str, title: str, case: Case):
    """A card with a title, and the badge if the film is synthetic. key: unique on the page. title: Markdown."""
    with st.container(key=f"map_card_{key}"):
        st.markdown(f"**{title}**{synthetic.badge(case.radiograph.synthetic)}")
        yield


def show_film(case: Case, gray: np.ndarray) -> None:
    """The card of the film as it is. gray: as film.for_screen returns it."""
    with card("film", "The film", case):
        alt = f"{synthetic.kind(case.radiograph.synthetic)}, {case.name}"
        st.image(gray, width="stretch", output_format="JPEG", alt=alt)


def paint(gray: np.ndarray, heatmap: np.ndarray, direction: str, title: str, scale: float | None = None) -> bool:
    """Show a raw map on the film, or say in words that it is empty. True when there was something to paint.

    heatmap: (rows, columns), >= 0. title: whose map it is, for whoever cannot see it. scale: the value of full colour;
    without one, that of the map's strongest hundredth, because a single pixel can be far above all others.
    """
    if not heatmap.any():
        st.info(f"Nothing to paint: nothing here speaks for {direction}.", icon=":material/blur_off:")
        return False
    strength = relative_strength(heatmap, scale or float(np.percentile(heatmap, 99) or heatmap.max()), gray.shape)
    st.image(
        overlay(gray, strength, opacity=0.6, colour_map="inferno"),
        width="stretch",
        output_format="JPEG",
        alt=f"The same X-ray with the evidence for {direction} painted over it: {title}",
    )
    return True

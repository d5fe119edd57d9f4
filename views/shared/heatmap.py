"""The evidence for one direction painted over a film, with its colours explained and its strength in words."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from cases.collections.base import LABEL_NAMES
from model_zoo.overlay import overlay, relative_strength
from views.shared import address, film, words

DIRECTIONS = LABEL_NAMES[::-1]

_HELP = (
    "Drawn with Grad-CAM (Selvaraju et al. 2017): which parts of the film move the model, not where the illness is. "
    "Full strength is the same for every image of this model, so that the maps of two images can be compared: a faint "
    "map is faint evidence. The film shows through where there is none."
)


def choose_direction(call: str) -> str:
    """What to show the evidence for: what a person chose, else the model's call. Both are of DIRECTIONS."""
    direction = address.parsed("direction", _known_direction, "pneumonia or normal") or call
    address.offer(
        st.segmented_control,
        "Show the evidence for",
        "direction",
        DIRECTIONS,
        direction,
        format_func=str.capitalize,
        required=True,
    )
    return direction


def _known_direction(text: str) -> str:
    if text not in DIRECTIONS:
        raise ValueError(text)
    return text


def show(
    gray: np.ndarray,
    explanation,
    scale: float,
    direction: str,
    opacity: float = 0.6,
    colour_map: str = "inferno",
    finish: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> None:
    """Show the painted film; an empty map is said in words instead.

    gray: uint8 (height, width), as film.for_screen returns it. explanation: model_zoo.engine.Explanation. scale: the
    card's. direction: one of DIRECTIONS. opacity, colour_map: overlay.overlay's. finish: draws on the painted film,
    uint8 RGB (height, width, 3).
    """
    sides = words.balance(explanation.signed_map, scale)
    if reason := words.empty_map(sides, direction):
        st.info(reason, icon=":material/blur_off:")
        return
    strength = relative_strength(explanation.evidence(direction), scale, gray.shape)
    with st.container(key="overlay"):
        st.image(
            finish(overlay(gray, strength, opacity, colour_map)),
            width="stretch",
            output_format="JPEG",
            alt=f"The same X-ray with the evidence for {direction} painted over it",
        )
    legend(colour_map)
    st.caption(words.strength(sides, direction), help=_HELP)


def legend(colour_map: str, full: str = "full strength") -> None:
    """The colours from no evidence to full strength. full: what to call that."""
    st.html(
        f'<div role="img" aria-label="Colours from no evidence to {full}" style="height: 0.55rem; '
        f'border-radius: 0.3rem; background: {film.css_gradient(colour_map)}"></div>'
        '<div style="display: flex; justify-content: space-between; font-size: 0.8rem; padding-top: 0.15rem">'
        f"<span>0</span><span>{full}</span></div>"
    )

"""What the app says of lungs: outlines on a film, where the evidence lies, and a warning where there are none."""

from contextlib import suppress

import numpy as np
import streamlit as st

from cases.radiograph import Radiograph
from model_zoo.card import CardError
from model_zoo.lungs import regions
from model_zoo.lungs.regions import LungFields
from model_zoo.registry import ExportError
from views.shared import cache, film, words
from views.shared.figures.lung_zones import lung_zones
from views.shared.figures.style import NORMAL_COLOUR, PNEUMONIA_COLOUR
from views.shared.frame import ground

OUTLINE = (130, 235, 175)


def begin(radiograph: Radiograph) -> None:
    """Begin what find() waits for, before a model is asked. What is wrong with it is for find() to say."""
    with suppress(ExportError, CardError):
        cache.begin_look(radiograph)


def find(radiograph: Radiograph) -> LungFields | None:
    """The lung fields of a radiograph; where this may not be a frontal chest film, or the network cannot be used, a
    warning says so."""
    try:
        look = cache.look(radiograph)
        if look.doubts:
            st.warning(words.doubts(look.doubts), icon=":material/help:")
        return look.fields
    except (ExportError, CardError) as error:
        st.warning(f"The lungs cannot be outlined: {words.export_problem(error)}", icon=":material/error:")
        return None


def outlined(picture: np.ndarray, fields: LungFields) -> np.ndarray:
    """picture as film.outlined takes it, with the borders of both lungs."""
    for lung in (1, 2):
        picture = film.outlined(picture, fields.lungs == lung, OUTLINE)
    return picture


def show_shares(fields: LungFields, evidence: np.ndarray, direction: str, peak: float) -> None:
    """Where the evidence lies, as a chart and in words, and a warning where most lies outside the lungs.

    evidence: Explanation.evidence(direction); peak: words.Balance.peaks of it. An empty map is said elsewhere and shows
    nothing here.
    """
    shares = regions.shares(evidence, fields.regions)
    if shares is None:
        return
    st.header(f"Where the evidence for {direction} lies", anchor=False)
    chart, sentences = st.columns([1, 1.3], gap="medium", vertical_alignment="center")
    sentence = words.where(shares, direction)
    with chart:
        colour = PNEUMONIA_COLOUR if direction == "pneumonia" else NORMAL_COLOUR
        st.image(lung_zones(shares, colour, ground()), width="stretch", alt=sentence.replace("*", ""))
    with sentences:
        st.markdown(sentence)
        st.caption(
            "R is the patient's right. The shares are of the heatmap's sum; the map is coarse, so that some of what "
            "lies beside a lung may belong to it. A network finds the lungs and can err."
        )
    if warning := words.outside(shares, direction, peak):
        st.warning(warning, icon=":material/visibility_off:")

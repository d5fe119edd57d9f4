"""Heatmaps of one X-ray side by side: of several methods, of several layers, of several models."""

import streamlit as st

from model_zoo.registry import Export, ExportError, networks
from views.shared import address, cache, comparing, heatmap, members, picker
from views.shared.model_menu import choose_model
from views.shared.words import export_problem

VIEWS = {"methods": "Methods", "layers": "Layers", "models": "Models"}


def show_members(case: picker.Case, committee: Export, view: str, direction: str) -> None:
    """A committee's members in its place: side by side, or the way to each. Raises ExportError."""
    if view == "models":
        st.info(
            "A committee's own map is a mean of shares and not of logits, so that it has no place on this scale. These "
            "are the maps that it is the mean of.",
            icon=":material/groups:",
        )
        comparing.models(case, committee.members[0], {member.id: member for member in committee.members}, direction)
        return
    st.info(
        "A committee has no layers of its own: its heatmap is the mean of its members' Grad-CAM. Other methods and "
        "other layers look into one network. Choose a member.",
        icon=":material/groups:",
    )
    members.show_ways(committee)


address.start()
st.title("Compare heatmaps")
st.markdown(
    "A heatmap answers one question about a model, and every method asks another. Where all agree, look closer; where "
    "they differ, none of them is the truth. None shows where the illness is."
)

with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
    collection_id = picker.choose_collection()
    with st.container(width=340):
        model = choose_model()
case = picker.choose_case(collection_id)

if case and model:
    with st.container(horizontal=True, gap="medium"):
        view = address.control(st.segmented_control, "Compare", "by", list(VIEWS), format_func=VIEWS.get, required=True)
        direction = address.control(
            st.segmented_control,
            "Show the evidence for",
            "direction",
            heatmap.DIRECTIONS,
            format_func=str.capitalize,
            required=True,
        )
    try:
        if model.is_committee:
            show_members(case, model, view, direction)
        elif view == "methods":
            comparing.methods(case, model, direction)
        elif view == "layers":
            comparing.depths(case, model, direction)
        else:
            comparing.models(case, model, networks(cache.exports()[0]), direction)
    except ExportError as error:
        st.error(export_problem(error), icon=":material/error:")

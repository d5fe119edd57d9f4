"""Heatmaps of one X-ray side by side: of several methods, of several layers, of several models."""

import streamlit as st

from model_zoo.registry import Export, ExportError, networks
from views.shared import address, cache, comparing, heatmap, members, picker, words
from views.shared.model_menu import choose_model

VIEWS = {"methods": "Methods", "layers": "Layers", "models": "Models"}


def choose_direction(case: picker.Case, model: Export) -> str:
    """What to show the evidence for: what a person chose, else what the model, or the member whose map comes first,
    calls the case. Raises ExportError."""
    first = model.members[0] if model.is_committee else model
    probability = cache.explain(first, case.radiograph.pixels).probability
    return heatmap.choose_direction(words.called(probability, first.card.threshold.value))


def show(case: picker.Case, model: Export, view: str, direction: str) -> None:
    """The maps of the view that was chosen. Raises ExportError."""
    if model.is_committee:
        st.info(
            "A committee's own map is a mean of shares and not of logits, so that it has no place on this scale. These "
            "are the maps that it is the mean of.",
            icon=":material/groups:",
        )
        comparing.models(case, model.members[0], {member.id: member for member in model.members}, direction)
    elif view == "methods":
        comparing.methods(case, model, direction)
    elif view == "layers":
        comparing.depths(case, model, direction)
    else:
        comparing.models(case, model, networks(cache.exports()[0]), direction)


address.start("Compare heatmaps")
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
    try:
        with st.container(horizontal=True, gap="medium"):
            view = address.control(
                st.segmented_control, "Compare", "by", list(VIEWS), format_func=VIEWS.get, required=True
            )
            has_maps = view == "models" or not model.is_committee
            direction = choose_direction(case, model) if has_maps else None
        if direction:
            show(case, model, view, direction)
        else:
            st.info(
                "A committee has no layers of its own: its heatmap is the mean of its members' Grad-CAM. Other methods "
                "and other layers look into one network. Choose a member.",
                icon=":material/groups:",
            )
            members.show_ways(model)
    except ExportError as error:
        st.error(words.export_problem(error), icon=":material/error:")

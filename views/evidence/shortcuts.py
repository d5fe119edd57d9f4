"""What a model answers when a part of the films is blanked: from stored rows, and live on one X-ray.

No model is run, and TensorFlow is not imported, until someone asks for one X-ray.
"""

import streamlit as st

from model_zoo import shortcuts as rows
from model_zoo.registry import Export, ExportError
from views.shared import address, cache, evidence, picker, shortcuts
from views.shared.model_menu import choose_model, working_models
from views.shared.words import export_problem, listed

VIEWS = {"model": "One model", "models": "All models", "film": "One X-ray"}


def choose_set(exports: dict[str, Export]) -> str:
    """A menu of the sets that any of the models has rows of. Ends the page after saying why when there are none."""
    names = sorted({name for export in exports.values() for name in rows.sets(export)})
    if not names:
        st.info(
            "There are no stored answers on blanked films here. `python -m train shortcuts` writes them.",
            icon=":material/info:",
        )
        st.stop()
    name = address.control(
        st.selectbox, "Images", "set", names, memory="set", format_func=evidence.set_title, filter_mode=None
    )
    evidence.tell_synthetic(name)
    return name


def show_film(export: Export) -> None:
    collection_id = picker.choose_collection()
    if case := picker.choose_case(collection_id):
        shortcuts.show_film(case, export)


address.start("Shortcuts")
st.markdown(
    "A model that reads the lungs loses nothing when the rest of a film is blanked, and has nothing to go by when the "
    "lungs are. What a model uses instead of the lungs is called a shortcut: here every test film was blanked part by "
    "part to find out."
)
view = address.control(
    st.segmented_control,
    "Show",
    "show",
    list(VIEWS),
    format_func=VIEWS.get,
    required=True,
    label_visibility="collapsed",
)
baselines = {model_id: export for model_id, export in cache.exports()[0].items() if not export.sees_pixels}
try:
    if view == "models":
        if exports := working_models(baselines=False):
            shortcuts.show_models(exports, choose_set(exports), baselines)
    elif export := choose_model(others=lambda export: address.kept("set", rows.sets(export))):
        if view == "film":
            show_film(export)
        elif export.is_committee and not rows.sets(export):
            names = listed(member.card.title for member in export.members)
            st.info(
                f"No committee was measured on blanked films, only its members: {names}. Choose one of them above, or "
                "see under “One X-ray” what the committee says of a single film.",
                icon=":material/groups:",
            )
        else:
            shortcuts.show_model(export, choose_set({export.id: export}), baselines)
except ExportError as error:
    st.error(export_problem(error), icon=":material/error:")

"""What a model answers when a part of the films is blanked: from stored rows, and live on one X-ray.

No model is run, and TensorFlow is not imported, until someone asks for one X-ray.
"""

import streamlit as st

from model_zoo import shortcuts as rows
from model_zoo.registry import Export, ExportError, networks
from views.shared import address, cache, evidence, picker, shortcuts
from views.shared.model_menu import choose_model
from views.shared.words import export_problem

VIEWS = {"model": "One model", "models": "All models", "film": "One X-ray"}


def choose_set(export: Export) -> str:
    """A menu of the sets that the model has rows of. Ends the page after saying why when there are none."""
    names = rows.sets(export)
    if not names:
        st.info(
            "This model has no stored answers on blanked films. `python -m train shortcuts` writes them.",
            icon=":material/info:",
        )
        st.stop()
    return address.control(
        st.selectbox, "Images", "set", names, memory="set", format_func=evidence.set_title, filter_mode=None
    )


address.start()
st.title("Shortcuts", anchor=False)
st.markdown(
    "A model that reads the lungs loses nothing when the rest of a film is blanked, and has nothing to go by when the "
    "lungs are. What a model uses instead of the lungs is called a shortcut: here every test film was blanked part by "
    "part to find out."
)
export = choose_model()
if export:
    view = address.control(st.segmented_control, "Show", "show", list(VIEWS), format_func=VIEWS.get, required=True)
    try:
        if view == "film":
            collection_id = picker.choose_collection()
            if case := picker.choose_case(collection_id):
                shortcuts.show_film(case, export)
        else:
            name = choose_set(export)
            if evidence.is_synthetic(name):
                st.info(evidence.SYNTHETIC, icon=":material/info:")
            exports = cache.exports()[0]
            baselines = {model_id: one for model_id, one in exports.items() if not one.sees_pixels}
            if view == "model":
                shortcuts.show_model(export, name, baselines)
            else:
                shortcuts.show_models(networks(exports), name, baselines)
    except ExportError as error:
        st.error(export_problem(error), icon=":material/error:")

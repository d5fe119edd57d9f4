"""Read an X-ray together with a model: its probability, where it looked, how often such a score is pneumonia."""

import streamlit as st

from model_zoo.registry import ExportError
from views.shared import address, cache, evidence, lungs, picker, reading
from views.shared.model_menu import choose_model
from views.shared.words import export_problem

address.start("Read an X-ray with a model")

with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
    collection_id = picker.choose_collection()
    with st.container(width=340):
        model = choose_model()
case = picker.choose_case(collection_id)

if case and model:
    lungs.begin(case.radiograph)
    try:
        explanation = cache.explain(model, case.radiograph.pixels)
    except ExportError as error:
        st.error(export_problem(error), icon=":material/error:")
    else:
        reference = evidence.validation_rows(model, "How often such a score was right cannot be told.")
        reading.show(case, model, explanation, reference)
elif case:
    reading.show_film(case)
if model:
    reading.about(model)

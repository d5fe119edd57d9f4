"""A person's own folder of images, scored by a model in the background; the rows stay on this machine.

The page shows what is on disk so far and polls the run (views/shared/jobs.py). Opening it runs no model.
"""

import streamlit as st

from cases.collections.folder import folder_id
from model_zoo import batch
from model_zoo.predictions import DISAGREEMENT, PredictionsError
from views.shared import address, cache, words
from views.shared.folder.choice import choose_folder, list_folder
from views.shared.folder.results import show_results
from views.shared.folder.run import show_run, show_unreadable
from views.shared.folder.table import kept_order
from views.shared.model_menu import choose_model

address.start("Your own folder")
st.markdown("What does a model say of your images, all of them at once?")
left, right = st.columns([2, 1], vertical_alignment="bottom")
with right:
    export = choose_model(others=lambda export: {} if export.is_committee else kept_order(DISAGREEMENT))
with left:
    root = choose_folder()
collection = list_folder(root) if root else None
if export is None or collection is None:
    st.stop()
collection_id = folder_id(root)
results = batch.results_of(collection_id, export)
try:
    scores = cache.scores(export, collection_id)
except PredictionsError as error:
    st.error(
        f"The rows cannot be used. {words.export_problem(error)} A new run drops what is damaged and scores it again.",
        icon=":material/broken_image:",
    )
    scores = None
unreadable = batch.read_unreadable(results.unreadable)
known = {image_id for image_id, _ in unreadable} | (set() if scores is None else set(scores["image_id"]))
entries = collection.entries()
waiting = sum(entry.id not in known for entry in entries)
show_run(root, export, results, len(entries), waiting)
if scores is not None and len(scores):
    if waiting:
        st.info(
            "These are results so far. Images are scored in the order of their names, so the rest may differ.",
            icon=":material/hourglass_top:",
        )
    show_results(export, collection_id, scores)
if unreadable:
    show_unreadable(unreadable)

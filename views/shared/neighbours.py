"""The training images that a model sees as most like an opened one."""

import streamlit as st

from cases.collections import films_of
from cases.collections.base import LABEL_NAMES, CollectionUnavailable, Entry
from cases.collections.folder import is_folder_id
from cases.radiograph import Radiograph
from model_zoo import neighbours
from model_zoo.predictions import PredictionsError
from model_zoo.registry import Export, ExportError
from views.shared import cache, evidence, jobs, members, words
from views.shared.gallery import thumbnail_links
from views.shared.run_progress import follow


def show(export: Export, name: str, label: int, radiograph: Radiograph) -> None:
    """The nearest ones with their labels, or why there are none, or the way to them; nothing for a model that sees no
    pixels. label: of the opened image."""
    if not export.sees_pixels:
        return
    st.header("The training images most like it, to this model", anchor=False)
    if export.is_committee:
        st.caption("A committee has no features of its own to find them by. Its members have:")
        members.show_ways(export, evidence.kept_rows)
        return
    own = export.card.data.collection
    # A folder may hold any film, those of the model's own collection too.
    if films_of(evidence.collection_of(name)) != own and not is_folder_id(name):
        st.caption("The model learnt from another collection than this one, so no training image is its like.")
        return
    try:
        entries = _training_entries(export)
    except PredictionsError as error:
        st.error(
            f"Which images the model learnt from is not known. {words.export_problem(error)}",
            icon=":material/broken_image:",
        )
        return
    if not entries:
        st.caption("The images that the model learnt from are not on this machine.")
        return
    job = jobs.last(neighbours.features_path(export))
    if job and job.running:
        follow(
            job,
            "training images",
            "Waiting for another run to be done…",
            "You may go on to other images. What is done is kept.",
        )
        return
    features = cache.training_features(export)
    if waiting := len({entry.id for entry in entries}.difference(features.image_ids)):
        _show_start(export, entries, waiting, job)
        return
    try:
        query = cache.film_features(export, radiograph.pixels)
    except ExportError as error:
        st.error(words.export_problem(error), icon=":material/error:")
        return
    by_id = {entry.id: entry for entry in entries}
    nearest = neighbours.nearest(features, query, by_id)
    if not nearest:
        st.caption("None of the training images can be read.")
        return
    _show_nearest(export, [(by_id[neighbour.image_id], neighbour.similarity) for neighbour in nearest], label)


def _training_entries(export: Export) -> tuple[Entry, ...]:
    """Those that are on this machine. Raises PredictionsError when a prediction set, whose images the model did not
    learn from, cannot be read."""
    own = export.card.data.collection
    if evidence.missing_images(f"{own}-train"):
        return ()
    sets = [name for name in export.prediction_sets() if evidence.collection_of(name) == own]
    predicted = {image_id for name in sets for image_id in cache.predictions(export, name)["image_id"]}
    return neighbours.training_entries(cache.collection(own).entries(), predicted)


def _show_start(export: Export, entries: tuple[Entry, ...], waiting: int, job: jobs.Job | None) -> None:
    st.markdown(
        "To find them, the model has to look at its training images once; what it sees is kept on this machine. That "
        "takes minutes, in the background."
    )
    if job and job.problem:
        st.error(words.export_problem(job.problem), icon=":material/error:")
    label = f"Look at {waiting:,} training images"
    if waiting < len(entries):
        label = f"Go on: {waiting:,} of {len(entries):,} training images are left"
    if not st.button(label, icon=":material/play_arrow:"):
        return
    try:
        cache.start_gathering(export, entries)
    except (ExportError, CollectionUnavailable, OSError) as error:
        st.error(words.export_problem(error), icon=":material/error:")
    else:
        st.rerun()


def _show_nearest(export: Export, found: list[tuple[Entry, float]], label: int) -> None:
    own = export.card.data.collection
    kind = "synthetic training images" if evidence.is_synthetic(f"{own}-train") else "images"
    same = sum(entry.label == label for entry, _ in found)
    st.markdown(
        f"**{same} of the {len(found)}** nearest {kind} of the training set are {LABEL_NAMES[label]}, as this one is."
    )
    ids = [entry.id for entry, _ in found]
    captions = [f"**{words.answer(entry)}** similarity {similarity:.3f}" for entry, similarity in found]
    views = [{"model": export.id, "collection": own, "image": image_id} for image_id in ids]
    thumbnail_links(own, ids, captions, "neighbours", "views/explore/diagnose.py", views, columns=5)
    st.caption(
        "Likeness is the cosine between the means of the feature maps at the layer of the heatmap: 1 is the same to "
        "the model, whatever a person sees. It tells what the model goes by, not that the children had the same."
    )

"""What the evidence pages share: which model and prediction rows, and what a reader must know about them."""

import pandas as pd
import streamlit as st

from cases.collections import COLLECTIONS, films_of
from cases.collections.base import CollectionUnavailable
from cases.collections.folder import is_folder_id
from model_zoo.predictions import DOUBTS, PredictionsError
from model_zoo.registry import Export
from views.shared import address, cache
from views.shared.model_menu import choose_model
from views.shared.visitor import at_this_machine
from views.shared.words import export_problem, folder_names, plain, way_out

_SYNTHETIC = (
    "**Synthetic images.** These phantoms were drawn by a program; no child was X-rayed. They show how the page works, "
    "not how good the model is on real films."
)
# Parameters that mean something in one set alone.
OF_A_SET = {"page": None, "image": None, "subtype": None, "agreement": None}
_PARTS = {
    "test": "test split",
    "validation": "validation split",
    "random25": "random quarter",
}


def choose() -> tuple[Export, str, pd.DataFrame]:
    """The menus of models and of a model's prediction sets: (export, name, rows). Ends the page after saying why when
    there is nothing to choose."""
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        export = choose_model(baselines=True, others=kept_rows)
    if export is None:
        st.stop()
    with right:
        chosen = _choose_rows(export)
    if chosen is None:
        st.stop()
    return export, *chosen


def kept_rows(export: Export) -> dict[str, str | None]:
    """What another model changes: where it has no rows of the set, neither the set nor what is chosen in it stays."""
    kept = address.kept("set", cache.prediction_sets(export))
    return kept if kept["set"] else {**kept, **OF_A_SET}


def _choose_rows(export: Export) -> tuple[str, pd.DataFrame] | None:
    """A menu of the export's prediction sets: (name, rows), or None after saying why there are none."""
    names = sorted(cache.prediction_sets(export), key=lambda name: _rank(name, export.card.data.collection))
    if not names:
        st.info("This model has no stored predictions. `python -m train evaluate` writes them.", icon=":material/info:")
        return None
    name = address.control(
        st.selectbox,
        "Images",
        "set",
        names,
        memory="set",
        others=lambda _: OF_A_SET,
        format_func=set_title,
        filter_mode=None,
    )
    try:
        rows = cache.predictions(export, name)
    except PredictionsError as error:
        st.error(
            f"These rows cannot be used. {export_problem(error)} Other models and other images still work.",
            icon=":material/broken_image:",
        )
        return None
    if problem := _unknown_images(export, name):
        st.warning(
            f"Not all images of these rows are here. {export_problem(problem)} The figures count them all the same.",
            icon=":material/warning:",
        )
    return name, rows


def _unknown_images(export: Export, name: str) -> PredictionsError | None:
    """What names the first row whose image this machine's copy of the collection lacks; None without such a copy.
    Folders come and go, and remarks() tells of them."""
    if is_folder_id(name) or missing_images(name):
        return None
    return cache.unknown_images(export, name, collection_of(name))


def validation_rows(export: Export, lost: str) -> pd.DataFrame | None:
    """Rows of the set that the operating point was chosen on. None where there are none, and, after saying so, where
    they cannot be used. lost: what is missing without them, a sentence."""
    name = export.card.threshold.chosen_on
    if name not in export.prediction_sets():
        return None
    try:
        return cache.predictions(export, name)
    except PredictionsError as error:
        st.warning(f"{lost} {export_problem(error)}", icon=":material/broken_image:")
        return None


def collection_of(name: str) -> str:
    """The collection's id in a prediction set's name: "chest_xray" of "chest_xray-test". A scored folder's set has the
    collection's own id as its name."""
    return name if is_folder_id(name) else name.rpartition("-")[0]


def set_title(name: str) -> str:
    """ "chest_xray-test" as "Kermany chest X-rays (paediatric), test split"."""
    if is_folder_id(name):
        known = folder_names(cache.scored_folders()).get(name)
        return f"Folder {known}, scored here" if known else "A folder that was scored here"
    collection_id, _, part = name.rpartition("-")
    title = getattr(COLLECTIONS.get(collection_id), "title", collection_id)
    return f"{title}, {_PARTS.get(part, part)}"


def missing_images(name: str) -> str | None:
    """Why the images of a prediction set cannot be shown, in Markdown, or None when their collection is here."""
    collection_id = collection_of(name)
    if collection_id not in COLLECTIONS and not is_folder_id(collection_id):
        return f"LungLens knows no collection called {plain(collection_id)}."
    try:
        cache.collection(collection_id)
    except CollectionUnavailable as error:
        return way_out(error, at_this_machine())
    return None


def is_synthetic(name: str) -> bool:
    """Whether a prediction set's images are phantoms, known without opening the collection."""
    return getattr(COLLECTIONS.get(collection_of(name)), "synthetic", False)


def tell_synthetic(name: str) -> None:
    """A box that says so where a prediction set's images are phantoms."""
    if is_synthetic(name):
        st.info(_SYNTHETIC, icon=":material/info:")


def remarks(name: str, export: Export) -> list[str]:
    """What a reader must know before believing figures from this set, one Markdown sentence each."""
    if is_folder_id(name):
        return _remarks_on_folder(name, export)
    found = []
    card, (collection_id, _, part) = export.card, name.rpartition("-")
    if not export.sees_pixels:
        found.append(
            f"**{plain(card.title)}** is no network: it knows how wide the original file of an image is, and sees no "
            "pixel of it. What it gets right can be had here without looking at a lung."
        )
    if is_synthetic(name):
        found.append(_SYNTHETIC)
    if name == card.threshold.chosen_on or part == "validation":
        found.append("The model's settings were chosen on these very images, so the figures flatter it.")
    if part.startswith("random"):
        found.append(
            "Images were split at random here, not patients: films of one child are on both sides, which flatters the "
            "model. It is shown because a published work did the same."
        )
    if films_of(collection_id) != card.data.collection and not is_synthetic(name):
        found.append("The model learnt from another collection than this one.")
    elif collection_id != card.data.collection and not is_synthetic(name):
        found.append("These are small copies of films of the collection that the model learnt from.")
    return found


def _remarks_on_folder(name: str, export: Export) -> list[str]:
    found = [
        "These are images of a folder on this machine, from whatever hospital and of whatever age. The operating point "
        f"was chosen on {set_title(export.card.threshold.chosen_on)}; elsewhere another one may be better, and the "
        "probabilities may be too high or too low.",
        "Who is on which image is not known, so each image counts as a patient of its own. Where several show one "
        "person, the intervals are too narrow.",
    ]
    scored = cache.scores(export, name)
    if unlabelled := int(scored["label"].isna().sum()):
        found.append(
            f"Scored images in no folder called normal or pneumonia: {unlabelled:,} of {len(scored):,}. Their label is "
            "not known, and they are left out."
        )
    if doubted := int((scored[DOUBTS] != "").sum()):
        found.append(
            f"Scored images that may not be frontal chest X-rays: {doubted:,} of {len(scored):,}. Those with a label "
            "count all the same."
        )
    if missing_images(name) is None:
        present = cache.image_ids(name)
        if waiting := len(present - set(scored["image_id"])):
            found.append(f"Images of the folder without a score: {waiting:,}, not yet, or because they cannot be read.")
        if gone := len(set(scored["image_id"]) - present):
            found.append(f"Scored images that are not in the folder any more: {gone:,}.")
    return found


def _rank(name: str, own_collection: str) -> tuple:
    collection_id, _, part = name.rpartition("-")
    return is_folder_id(name), part != "test", collection_id != own_collection, name

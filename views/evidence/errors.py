"""The images that a model gets wrong (or right), the least believed truth first, and each with its heatmap.

The list comes from stored rows and needs neither the images nor TensorFlow; a heatmap imports it when a case is opened.
"""

import math

import pandas as pd
import streamlit as st

from cases.collections.base import LABEL_NAMES
from cases.radiograph import Radiograph, RadiographError
from model_zoo import evaluation
from model_zoo.registry import Export, ExportError
from views.shared import address, cache, evidence, film, heatmap, words
from views.shared.gallery import thumbnail_grid

PER_PAGE = 24
PHANTOMS = "phantom-test"
# They come first, because they are what the page is for.
MISTAKES = ("false positive", "false negative")
OUTCOMES = {
    "false positive": ("False positives", "Normal images that the model calls pneumonia, the most confident first."),
    "false negative": ("False negatives", "Pneumonias that the model calls normal, the most confident first."),
    "true positive": ("True positives", "Pneumonias that the model catches, the least confident first."),
    "true negative": ("True negatives", "Normal images that the model leaves alone, the least confident first."),
}


def show_gallery(export: Export, name: str, rows: pd.DataFrame) -> None:
    threshold = export.card.threshold.value
    counts = evaluation.outcome(rows, threshold).value_counts()
    outcome = address.control(
        st.pills,
        "Outcome",
        "outcome",
        list(OUTCOMES),
        default=next((mistake for mistake in MISTAKES if counts.get(mistake)), MISTAKES[0]),
        others=lambda _: {"page": None},
        format_func=lambda option: f"{OUTCOMES[option][0]} ({counts.get(option, 0):,})",
        required=True,
        label_visibility="collapsed",
    )
    cell = evaluation.least_believed(rows, threshold, outcome)
    st.markdown(f"{OUTCOMES[outcome][1]} The operating point is {threshold:.3f}.")
    if cell.empty:
        st.info(f"There are no {OUTCOMES[outcome][0].lower()} among these images.", icon=":material/check:")
        return
    if missing := evidence.missing_images(name):
        show_without_images(export, name, cell, missing)
        return
    pages = math.ceil(len(cell) / PER_PAGE)
    page = int(address.chosen("page", [str(number) for number in range(1, pages + 1)]))
    shown = cell.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    clicked = thumbnail_grid(
        evidence.collection_of(name), shown["image_id"].tolist(), [caption(row) for row in shown.itertuples()], "errors"
    )
    if pages > 1:
        # A new key for each page: the address may have moved it, and a widget's state would win over its default.
        key = f"errors.page.{page}"
        st.pagination(pages, default=page, key=key, on_change=address.choose_from_widget, args=("page", key))
    if clicked:
        address.choose(image=clicked)
        st.rerun()


def caption(row) -> str:
    """The probability of a case and what the truth is, in a few words."""
    truth = row.subtype or LABEL_NAMES[row.label]
    return f"**{words.probability(row.probability)}** {words.plain(truth)}"


def show_without_images(export: Export, name: str, cell: pd.DataFrame, missing: str) -> None:
    """The cases as a table, what brings the images, and the phantoms as a way on. missing: evidence.missing_images."""
    st.info(
        f"The images are not on this machine, so the cases are listed without them. {missing}",
        icon=":material/folder_off:",
    )
    if PHANTOMS in export.prediction_sets() and name != PHANTOMS:
        st.button(
            "Look at phantoms instead (synthetic)",
            type="primary",
            on_click=address.choose,
            kwargs={"set": PHANTOMS, "page": None},
        )
    st.dataframe(
        cell[["image_id", "patient_id", "subtype", "probability"]].assign(
            probability=cell["probability"].map(words.probability)
        ),
        hide_index=True,
        width="stretch",
        column_config={
            "image_id": st.column_config.TextColumn("image", width="large"),
            "patient_id": "patient",
            "probability": "probability of pneumonia",
        },
    )


def show_case(export: Export, name: str, rows: pd.DataFrame, image_id: str) -> None:
    """One image with its heatmap, and the way to the next one of the same outcome."""
    threshold = export.card.threshold.value
    outcome = evaluation.outcome(rows, threshold)[rows["image_id"] == image_id].iloc[0]
    cell = evaluation.least_believed(rows, threshold, outcome).reset_index(drop=True)
    place = int(cell.index[cell["image_id"] == image_id][0])
    row = cell.iloc[place]
    show_way(outcome, cell["image_id"], place)
    truth = LABEL_NAMES[row["label"]] + (f" ({words.plain(row['subtype'])})" if row["subtype"] else "")
    probability = float(row["probability"])
    st.markdown(
        f"The truth: **{truth}**. The model: **{words.called(probability, threshold)}**, probability of pneumonia "
        f"{words.probability(probability)} (operating point {threshold:.3f})."
    )
    show_image(export, name, image_id, outcome)
    show_source(export, evidence.collection_of(name), row)


def show_image(export: Export, name: str, image_id: str, outcome: str) -> None:
    """The film and its heatmap, or why they cannot be shown."""
    if missing := evidence.missing_images(name):
        st.error(missing, icon=":material/folder_off:")
        return
    collection_id = evidence.collection_of(name)
    if image_id not in cache.image_ids(collection_id):
        st.error("This image is not in this machine's copy of the collection.", icon=":material/folder_off:")
        return
    try:
        radiograph = cache.radiograph(collection_id, image_id)
    except RadiographError as error:
        st.error(words.plain(str(error)), icon=":material/broken_image:")
        return
    show_pictures(export, radiograph, outcome)


def show_way(outcome: str, image_ids: pd.Series, place: int) -> None:
    """Previous, next and back. The arrow keys work too."""
    last = len(image_ids) - 1
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "All cases",
            icon=":material/grid_view:",
            on_click=address.choose,
            kwargs={"image": None, "outcome": outcome, "page": str(place // PER_PAGE + 1)},
        )
        for label, shortcut, target in (("Previous", "Left", place - 1), ("Next", "Right", place + 1)):
            st.button(
                label,
                shortcut=shortcut,
                disabled=not 0 <= target <= last,
                on_click=address.choose,
                kwargs={"image": image_ids[min(max(target, 0), last)]},
            )
        st.markdown(f"{outcome.capitalize()} **{place + 1}** of {last + 1}", width="content")


def show_pictures(export: Export, radiograph: Radiograph, outcome: str) -> None:
    badge = " :gray-badge[synthetic]" if radiograph.synthetic else ""
    called = LABEL_NAMES[outcome.endswith("positive")]
    pixels = film.for_screen(radiograph.pixels)
    left, right = st.columns(2)
    with left:
        st.markdown(f"**The film**{badge}")
        kind = "Synthetic chest X-ray" if radiograph.synthetic else "Chest X-ray"
        st.image(pixels, width="stretch", output_format="JPEG", alt=f"{kind}, {outcome}")
    with right:
        picture = st.container()
        direction = st.segmented_control(
            "Show the evidence for",
            heatmap.DIRECTIONS,
            default=called,
            required=True,
            format_func=str.capitalize,
            # One per outcome, so that stepping through the cases keeps the choice.
            key=f"errors.direction.{outcome}",
        )
        with picture:
            st.markdown(f"**Evidence for {direction}**{badge}")
            try:
                explanation = cache.explain(export, radiograph.pixels)
            except ExportError as error:
                st.error(words.export_problem(error), icon=":material/error:")
            else:
                heatmap.show(pixels, explanation, export.card.heatmap.scale, direction)


def show_source(export: Export, collection_id: str, row: pd.Series) -> None:
    st.caption(f"Image {words.plain(row['image_id'])}, patient {words.plain(row['patient_id'])}")
    st.page_link(
        "views/explore/diagnose.py",
        label="Read this X-ray with all controls",
        icon=":material/radiology:",
        query_params={"model": export.id, "collection": collection_id, "image": row["image_id"]},
    )


address.start()
st.title("Errors", anchor=False)
st.markdown("Which images does a model get wrong, and where did it look?")
export, name, rows = evidence.choose()
if evidence.is_synthetic(name):
    st.info(evidence.SYNTHETIC, icon=":material/info:")
image_id = address.addressed("image")
if image_id in set(rows["image_id"]):
    show_case(export, name, rows, image_id)
else:
    if image_id is not None:
        st.warning(f"There is no image {words.plain(image_id)} among these rows.")
    show_gallery(export, name, rows)

"""The images that a model gets wrong (or right), filtered and sorted, and each with its heatmap and all opinions.

The list comes from stored rows and needs neither the images nor TensorFlow; a heatmap imports it when a case is opened.
"""

import pandas as pd
import streamlit as st

from cases.collections.base import LABEL_NAMES
from model_zoo import selection
from model_zoo.registry import Export
from views.shared import address, case, evidence, notes, words
from views.shared import selection as menus
from views.shared.gallery import thumbnail_grid

PER_PAGE = 24
PHANTOMS = "phantom-test"


def show_page(export: Export, name: str, selected: pd.DataFrame, page: int, pages: int) -> None:
    """The thumbnails of one page, and the way to the others."""
    if missing := evidence.missing_images(name):
        show_without_images(export, name, selected, missing)
        return
    shown = selected.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    collection_id = evidence.collection_of(name)
    noted = notes.of(collection_id)
    captions = [caption(row, noted.get(row.image_id)) for row in shown.itertuples()]
    thumbnail_grid(collection_id, shown["image_id"].tolist(), captions, "errors")
    address.offer_pages(page, pages, "errors.page")


def caption(row, note: notes.Note | None) -> str:
    """The probability of a case, what the truth is, and whether a person marked it, in a few words."""
    marks = (" :material/star:" if note.star else "") + (" :material/edit_note:" if note.text else "") if note else ""
    return f"**{words.probability(row.probability)}** {words.plain(row.subtype or LABEL_NAMES[row.label])}{marks}"


def show_without_images(export: Export, name: str, selected: pd.DataFrame, missing: str) -> None:
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
            kwargs={**evidence.OF_A_SET, "set": PHANTOMS},
        )
    st.dataframe(
        selected[["probability", "image_id", "patient_id", "subtype"]].assign(
            probability=selected["probability"].map(words.probability)
        ),
        hide_index=True,
        width="stretch",
        column_config={
            "probability": st.column_config.TextColumn(width=100, help="Of pneumonia."),
            "image_id": st.column_config.TextColumn("image", width="large"),
            "patient_id": "patient",
        },
    )


def opened_image(rows: pd.DataFrame) -> str | None:
    """The image that the address names, None after a warning when there is none of that name."""

    def known(image_id: str) -> str:
        if image_id not in set(rows["image_id"]):
            raise ValueError(image_id)
        return image_id

    return address.parsed("image", known, "one of these images")


address.start("Errors")
st.markdown("Which images does a model get wrong, and where did it look?")
export, name, rows = evidence.choose()
evidence.tell_synthetic(name)
image_id = opened_image(rows)
threshold = menus.choose_threshold(export)
others, opinions = menus.other_opinions(export, name, rows)
thresholds = pd.Series({model_id: other.card.threshold.value for model_id, other in others.items()}, dtype=float)
cases = selection.cases(rows, threshold, opinions, thresholds)
wanted = menus.read(cases, image_id, others)
noted = notes.of(evidence.collection_of(name))
starred = [noted_id for noted_id, note in noted.items() if note.star]
selected = selection.select(cases, wanted, noted, starred, keep=image_id)
if image_id is not None:
    place = int((selected["image_id"] == image_id).to_numpy().argmax())
    title = "Image" if wanted.outcome == selection.ALL else wanted.outcome.capitalize()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        case.show_way(title, selected, place, PER_PAGE)
    case.show(export, name, selected.iloc[place], threshold, others, opinions)
else:
    menus.show_outcomes(cases, wanted)
    menus.say(wanted, len(selected), cases)
    with st.container(horizontal=True, gap="small"):
        menus.show_filters(cases, wanted, others)
        with st.popover("Notes", icon=":material/edit_note:"):
            notes.show_file(selected, opinions, evidence.collection_of(name), export.id, name)
    if len(selected):
        show_page(export, name, selected, *address.chosen_page(len(selected), PER_PAGE))

"""The images of a folder in a table, in an order that is chosen, each with the way to it."""

import pandas as pd
import streamlit as st

from cases.collections.base import LABEL_NAMES
from model_zoo.predictions import DISAGREEMENT, DOUBTS
from model_zoo.registry import Export
from model_zoo.tables import for_spreadsheets
from views.shared import address, words

_PER_PAGE = 100
ORDERS = {
    "highest": "Highest first",
    "lowest": "Lowest first",
    "closest": "Closest to the operating point",
    DISAGREEMENT: "Most disputed first",
    DOUBTS: "Doubtful first",
    "name": "By name",
}


def kept_order(lost: str) -> dict[str, str | None]:
    """For address.choose(): the order of the table, unless it is the one that may be lost."""
    return address.kept("order", [order for order in ORDERS if order != lost])


def show_table(export: Export, collection_id: str, scores: pd.DataFrame, threshold: float) -> None:
    """A page of the table, its order, and all of it as CSV. scores: cache.scores, a row or more. threshold: 0..1."""
    order = address.control(
        st.pills,
        "Order",
        "order",
        [order for order in ORDERS if order not in (DISAGREEMENT, DOUBTS) or _tells(scores, order)],
        others=lambda _: {"page": None},
        format_func=ORDERS.get,
        required=True,
        label_visibility="collapsed",
    )
    table = _ordered(scores, order, threshold)
    page, pages = address.chosen_page(len(table), _PER_PAGE)
    shown = _for_reading(table.iloc[(page - 1) * _PER_PAGE : page * _PER_PAGE], threshold)
    picked = st.dataframe(
        # As text, a column would be sorted by its letters.
        shown.style.format(words.probability, subset="probability"),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"folder.table.{order}.{page}",
        # What must be seen first: a phone shows two columns.
        column_order=("probability", "image", "call", DISAGREEMENT, DOUBTS, "label"),
        column_config={
            "image": st.column_config.TextColumn(width="medium"),
            "probability": st.column_config.NumberColumn(width=110, help="Of pneumonia."),
            "call": "the model says",
            DISAGREEMENT: st.column_config.NumberColumn(
                format="%.3f", help="The standard deviation of the members' probabilities: 0 when all say the same."
            ),
            DOUBTS: st.column_config.TextColumn(
                width="medium", help="Why the image may not be a frontal chest X-ray, in key words."
            ),
        },
    )["selection"]["rows"]
    if picked:
        address.leave_for(
            "views/explore/diagnose.py",
            model=export.id,
            collection=collection_id,
            image=shown["image"].iloc[picked[0]],
        )
    address.offer_pages(page, pages, "folder.page")
    st.caption(
        "Mark a row (on the keyboard, Shift and the space bar) to open its image, with the map of where the model "
        "looked."
    )
    st.download_button(
        f"Download {words.counted(len(table), 'row')} (CSV)",
        lambda: for_spreadsheets(_for_reading(table, threshold).assign(threshold=threshold)),
        file_name=f"{collection_id}-{export.id}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _tells(scores: pd.DataFrame, column: str) -> bool:
    """Whether scores have such a column with more in it than empty texts: not every model, or folder, has one."""
    return column in scores and bool((scores[column] != "").any())


def _ordered(scores: pd.DataFrame, order: str, threshold: float) -> pd.DataFrame:
    """scores in one of ORDERS, images of the same place by name."""
    probability = scores["probability"]
    keys = {"highest": -probability, "lowest": probability, "closest": (probability - threshold).abs(), "name": 0.0}
    if _tells(scores, DISAGREEMENT):
        keys[DISAGREEMENT] = -scores[DISAGREEMENT]
    if _tells(scores, DOUBTS):
        keys[DOUBTS] = scores[DOUBTS] == ""
    return scores.assign(key=keys[order]).sort_values(["key", "image_id"]).drop(columns="key")


def _for_reading(scores: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Image, probability, what the model calls it, a committee's disagreement, doubts if there are any, and the label
    where it is known."""
    table = pd.DataFrame(
        {
            "image": scores["image_id"],
            "probability": scores["probability"],
            "call": [words.called(probability, threshold) for probability in scores["probability"]],
        }
    )
    for column in (DISAGREEMENT, DOUBTS):
        if _tells(scores, column):
            table[column] = scores[column]
    if scores["label"].notna().any():
        table["label"] = scores["label"].map(dict(enumerate(LABEL_NAMES))).fillna("not known")
    return table

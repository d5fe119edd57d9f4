"""What a model says of a folder's images: all together, the doubtful ones, and the way to the evidence pages."""

import pandas as pd
import streamlit as st

from model_zoo.predictions import DOUBTS
from model_zoo.registry import Export
from views.shared import evidence, words
from views.shared.figures.folder import probability_histogram
from views.shared.folder.table import ORDERS, show_table
from views.shared.frame import ground


def show_results(export: Export, collection_id: str, scores: pd.DataFrame) -> None:
    """All that follows from the scores of a folder. scores: cache.scores, a row or more."""
    threshold = export.card.threshold.value
    positive = int((scores["probability"] >= threshold).sum())
    st.header("What the model says", anchor=False)
    st.markdown(
        f"Of **{words.counted(len(scores), 'image')}** the model calls **{positive:,}** pneumonia "
        f"({words.percent(positive / len(scores))}), at its operating point, {threshold:.3f}. That point was chosen on "
        f"{evidence.set_title(export.card.threshold.chosen_on)}. Images of another hospital or another age get a "
        "number too, and nothing says how good it is."
    )
    _show_doubts(scores, threshold)
    st.altair_chart(
        probability_histogram(scores, threshold, ground()),
        width="stretch",
        alt=f"Histogram of the probabilities of {words.counted(len(scores), 'image')}, {positive:,} of them at or "
        f"above {threshold:.3f}",
    )
    if scores["label"].notna().any():
        _show_evidence(export, collection_id)
    show_table(export, collection_id, scores, threshold)


def _show_doubts(scores: pd.DataFrame, threshold: float) -> None:
    doubted = scores[scores[DOUBTS] != ""]
    if doubted.empty:
        st.caption("All of them passed as frontal chest X-rays. The check misses some that are none.")
        return
    positive = int((doubted["probability"] >= threshold).sum())
    st.warning(
        f"Images that may not be frontal chest X-rays: **{len(doubted):,}**. The model calls {positive:,} of them "
        f"pneumonia, which may mean nothing. *{ORDERS[DOUBTS]}* lists them, and opening one says why.",
        icon=":material/help:",
    )


def _show_evidence(export: Export, collection_id: str) -> None:
    view = {"model": export.id, "set": collection_id}
    with st.container(border=True):
        st.markdown("These images are labelled, so the model can be judged by them, with all figures and intervals.")
        with st.container(horizontal=True):
            st.page_link(
                "views/evidence/performance.py",
                label="How often it is right",
                icon=":material/monitoring:",
                query_params=view,
            )
            st.page_link("views/evidence/errors.py", label="Its mistakes", icon=":material/rule:", query_params=view)
            st.page_link(
                "views/evidence/compare.py",
                label="Beside other models",
                icon=":material/compare_arrows:",
                query_params={"set": collection_id},
            )

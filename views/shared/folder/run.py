"""The run that scores a folder: started, followed, and what it could not read."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cases.collections.base import CollectionUnavailable
from model_zoo import batch
from model_zoo.card import CardError
from model_zoo.registry import Export, ExportError
from views.shared import cache, jobs, words
from views.shared.run_progress import follow


def show_run(root: Path, export: Export, results: batch.Results, images: int, waiting: int) -> None:
    """What a run is doing, with a button to cancel it, or a button to start one."""
    job = jobs.last(results)
    if job and job.running:
        follow(
            job,
            "images",
            "Waiting for another run to be done, or listing the images…",
            "You may leave this page or close it; the run goes on. What is scored is kept.",
        )
        return
    if job and job.problem:
        st.error(words.export_problem(job.problem), icon=":material/error:")
    if not waiting:
        label, primary = "Look for new and changed images", False
    elif waiting == images:
        label, primary = f"Score {words.counted(images, 'image')}", True
    else:
        label, primary = f"Go on: {waiting:,} of {images:,} images are left", True
    if not st.button(label, type="primary" if primary else "secondary", icon=":material/play_arrow:"):
        return
    try:
        cache.start_scoring(root, export)
    except (ExportError, CardError, CollectionUnavailable, OSError) as error:
        st.error(words.export_problem(error), icon=":material/error:")
    else:
        st.rerun()


def show_unreadable(unreadable: list[tuple[str, str]]) -> None:
    st.header("Not read", anchor=False)
    st.markdown(f"Images that could not be read: {len(unreadable):,}. Each new run tries them again.")
    st.dataframe(
        pd.DataFrame(unreadable[:1000], columns=["image", "reason"]),
        hide_index=True,
        width="stretch",
        column_config={"reason": st.column_config.TextColumn(width="large")},
    )
    if len(unreadable) > 1000:
        st.caption("The first 1,000 are shown.")

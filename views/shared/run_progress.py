"""A background run in sight: its progress, time left, and a way to stop it, the same on every page that starts one."""

import streamlit as st

from views.shared import jobs, words

# Seconds between two looks at a run.
POLL = 1.0


@st.fragment(run_every=POLL)
def follow(job: jobs.Job, images: str, waiting: str, aside: str) -> None:
    """The progress of a run, drawn anew every POLL seconds; at its end, the whole page.

    images: what is counted ("images"). waiting: what is said before the run's turn comes. aside: what is kept.
    """
    if not job.running:
        st.rerun()
    progress = job.progress
    if progress is None:
        st.progress(0.0, waiting)
    else:
        share = progress.done / progress.total if progress.total else 1.0
        pace = words.pace(job.rate(), progress.total - progress.done)
        st.progress(share, f"{progress.done:,} of {progress.total:,} {images}{pace}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Cancelling…" if job.cancelled else "Cancel",
            icon=":material/stop:",
            disabled=job.cancelled,
            on_click=job.cancel,
        )
        st.caption(aside)

"""Each figure to take along: a picture as PNG and SVG, its table as CSV. Nothing is made before it is asked for."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from views.shared.figures import printed
from views.shared.performance.scene import Scene

DISCLAIMER = "LungLens: for learning, never for diagnosis"


def offer(
    scene: Scene, figure: str, table: pd.DataFrame, draw: Callable | None = None, threshold: float | None = None
) -> None:
    """Buttons for one figure. figure: its name in plain words. table: what it shows. draw: one of printed's; None for
    a figure that is a table only. threshold: the operating point that the figure shows, None for a figure that none
    moves; the picture says it, and the table unless it is a curve, which has a column of all thresholds."""
    stem = f"{scene.export.id}-{scene.name}-{figure.lower().replace(' ', '-')}"
    lines = [scene.about, DISCLAIMER]
    if threshold is not None:
        lines.insert(1, f"Called pneumonia from a probability of {threshold:.3f} on")
        table = table if "threshold" in table else table.assign(threshold=threshold)
    files = {"csv": partial(table.to_csv, index=False)}
    if draw:
        title = f"{figure}: {scene.export.card.title}"
        files = {kind: partial(printed.picture, draw, title, "\n".join(lines), kind) for kind in printed.MIME} | files
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for kind, make in files.items():
            st.download_button(
                kind.upper(),
                make,
                f"{stem}.{kind}",
                printed.MIME.get(kind, "text/csv"),
                key=f"download.{stem}.{kind}",
                help=f"{figure} as a table" if kind == "csv" else f"{figure} as a picture",
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
            )

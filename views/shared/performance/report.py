"""The figures of one threshold per class and per subgroup, as tables."""

import numpy as np
import pandas as pd
import streamlit as st
from sklearn.metrics import classification_report

from cases.collections.base import LABEL_NAMES
from model_zoo.evaluation import Confusion
from views.shared import words
from views.shared.performance.downloads import offer
from views.shared.performance.scene import Scene


def show_report(scene: Scene, threshold: float, cells: Confusion) -> None:
    st.header("Class by class: the classification report", anchor=False)
    report = report_table(cells)
    st.table(_readable(report, ("precision", "recall", "F1"), ("images", "called")), width="content")
    called, ill = report["called"]["pneumonia"], report["images"]["pneumonia"]
    total = len(scene.rows)
    st.caption(
        "Precision: of the images called this, the share that are. Recall: of the images that are this, the share "
        "called so. F1 is their harmonic mean. “images” is how many there are (the support), “called” how many the "
        f"model puts into the class, its output distribution: it calls **{called:,} of {total:,}** images pneumonia "
        f"({words.percent(called / total)}), and {ill:,} are ({words.percent(ill / total)})."
    )
    offer(scene, "Classification report", report.reset_index(), threshold=threshold)


def report_table(cells: Confusion) -> pd.DataFrame:
    """scikit-learn's classification report from counts, plus how many images are called each class. nan where there is
    no image to count. The last two rows are the means over both classes, plain and weighted by images."""
    counts = [cells.true_negatives, cells.false_positives, cells.false_negatives, cells.true_positives]
    # Four samples, one per cell, that weigh as much as the cell has images.
    report = classification_report(
        [0, 0, 1, 1],
        [0, 1, 0, 1],
        sample_weight=counts,
        target_names=LABEL_NAMES,
        output_dict=True,
        zero_division=np.nan,
    )
    rows = {**{name: name for name in LABEL_NAMES}, "mean": "macro avg", "weighted mean": "weighted avg"}
    table = pd.DataFrame({name: report[key] for name, key in rows.items()}).T
    table = table.rename(columns={"f1-score": "F1", "support": "images"}).astype({"images": int}).rename_axis("class")
    total = sum(counts)
    normal = cells.true_negatives + cells.false_negatives
    return table.assign(called=[normal, total - normal, total, total])


def show_subgroups(scene: Scene, threshold: float) -> None:
    st.header("On whom: subgroups", anchor=False)
    if not scene.subgroups:
        st.info(
            "These rows name no kinds of pneumonia and no series of normal films, so there are no subgroups to "
            "compare.",
            icon=":material/info:",
        )
        return
    found = [(group, group.right_at(threshold)) for group in scene.subgroups]
    st.table(
        pd.DataFrame(
            {
                "subgroup": f"{words.plain(group.name)} ({LABEL_NAMES[group.label]})",
                "images (patients)": f"{group.images:,} ({group.patients:,})",
                "called right": str(right),
                "AUROC": str(group.auroc) if scene.missing_class is None else "needs both classes",
            }
            for group, right in found
        ).set_index("subgroup"),
        width="content",
    )
    st.caption(
        "“Called right” is sensitivity for a kind of pneumonia and specificity for a series of normal films. AUROC "
        "compares a kind of pneumonia with all normal images, and a series of normal films with all pneumonias. Few "
        "images make wide intervals: look at these before believing that two groups differ."
    )
    offer(
        scene,
        "Subgroups",
        pd.DataFrame(
            {
                "subgroup": group.name,
                "of": LABEL_NAMES[group.label],
                "images": group.images,
                "patients": group.patients,
                **{f"called right {name}".strip(): value for name, value in _columns(right)},
                **{f"AUROC {name}".strip(): value for name, value in _columns(group.auroc)},
            }
            for group, right in found
        ),
        threshold=threshold,
    )


def _columns(estimate) -> list[tuple[str, float]]:
    return [("", estimate.value), ("low", estimate.low), ("high", estimate.high)]


def _readable(table: pd.DataFrame, shares: tuple[str, ...], counts: tuple[str, ...]) -> pd.DataFrame:
    shown = {name: table[name].map(words.number) for name in shares}
    return pd.DataFrame(shown | {name: table[name].map("{:,}".format) for name in counts})

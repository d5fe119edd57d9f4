"""The figures of one threshold that are drawn, and the reliability diagram, which no threshold moves."""

import pandas as pd
import streamlit as st

from model_zoo.calibration import at_share, reliability
from model_zoo.evaluation import Confusion, Estimate, expected_calibration_error
from views.shared import address, words
from views.shared.figures import calibration, curves, performance, printed
from views.shared.frame import ground
from views.shared.performance.downloads import offer
from views.shared.performance.scene import Scene


def show_confusion(scene: Scene, threshold: float, cells: Confusion) -> None:
    st.header("Right and wrong: the confusion matrix", anchor=False)
    view = {"model": scene.export.id, "set": scene.name}
    if threshold != scene.own_threshold:
        view["threshold"] = str(threshold)
    table = performance.confusion_table(cells)
    clicked = _show(
        performance.confusion_matrix(ground()),
        {"cells": table},
        f"Confusion matrix: {described(cells)}",
        key=f"performance.{performance.CELL}",
        on_select="rerun",
        selection_mode=performance.CELL,
    )
    if picked := clicked["selection"].get(performance.CELL):
        address.leave_for("views/evidence/errors.py", **view, outcome=picked[0]["outcome"])
    st.caption(
        "Each row is the truth, each column what the model said: the teal cells are right, the rust ones wrong. Click "
        "a cell to see its images. The intervals of the shares are those of sensitivity and specificity below."
    )
    st.page_link(
        "views/evidence/errors.py",
        label="See the images behind these counts",
        icon=":material/rule:",
        query_params=view,
    )
    shares = table.assign(share=table["images"] / table["of"])[["truth", "call", "outcome", "images", "share"]]
    offer(scene, "Confusion matrix", shares, printed.confusion_matrix(cells), threshold)


def described(cells: Confusion) -> str:
    """ "12 true negatives, 3 false positives, ..."."""
    return ", ".join(words.counted(count, name.replace("_", " ")[:-1]) for name, count in vars(cells).items())


def show_scores(scene: Scene, threshold: float) -> None:
    st.header("How the probabilities are spread", anchor=False)
    bars = performance.score_table(scene.probability, scene.label, threshold)
    tables = {"bars": bars, "here": pd.DataFrame({"threshold": [threshold]})}
    called = (scene.probability >= threshold).sum()
    told = f"Histogram of the probabilities: {words.counted(int(called), 'image')} at or above {threshold:.3f}"
    _show(performance.score_histogram(ground()), tables, told)
    st.caption(
        "Pneumonias are stacked upwards, normal images downwards. The line is the operating point: teal is called "
        "right, rust wrong. The less the two sides overlap, the better any line can separate them."
    )
    draw = printed.score_histogram(bars, threshold)
    offer(scene, "Probabilities", bars[["truth", "call", "from", "to", "images"]], draw, threshold)


def show_roc(scene: Scene, threshold: float, rates: dict[str, Estimate]) -> None:
    st.header("Every operating point: the ROC curve", anchor=False)
    if scene.missing_class:
        _lacking("A ROC curve needs normal images and pneumonias. Only one kind is here.")
        return
    values = rates["sensitivity"].value, rates["specificity"].value
    tables = curves.roc_tables(scene.roc, scene.roc_band, *values)
    _show(curves.roc_curve(ground()), tables, f"ROC curve, area {scene.fixed['auroc']}")
    st.caption(
        f"Moving the operating point (the dot) trades missed pneumonias for false alarms along this curve. The area "
        f"under it, AUROC, is {scene.fixed['auroc']}; the band is the curve's 95% interval at each point, too "
        "narrow where all pneumonias are caught or no normal image is called; the dashed line is guessing."
    )
    draw = printed.roc_curve(tables, scene.fixed["auroc"])
    offer(scene, "ROC curve", scene.roc, draw, threshold)


def show_precision_recall(scene: Scene, threshold: float, rates: dict[str, Estimate]) -> None:
    st.header("Catching against crying wolf: the precision-recall curve", anchor=False)
    if scene.precision_recall.empty:
        _lacking("A precision-recall curve needs pneumonias. None are here.")
        return
    values = rates["sensitivity"].value, rates["ppv"].value
    tables = curves.precision_recall_tables(
        scene.precision_recall, scene.precision_recall_band, *values, scene.prevalence
    )
    area = scene.fixed["average_precision"]
    _show(curves.precision_recall_curve(ground()), tables, f"Precision-recall curve, average precision {area}")
    st.caption(
        f"Of the alarms, the share that are true, for every share of pneumonias caught; average precision is {area}. "
        f"The dashed line is guessing: {scene.prevalence:.0%} of these images have pneumonia. Where fewer have, the "
        "whole curve is lower."
    )
    draw = printed.precision_recall_curve(tables, area)
    offer(scene, "Precision-recall curve", scene.precision_recall, draw, threshold)


def show_calibration(scene: Scene) -> None:
    st.header("Does a probability mean what it says? Calibration", anchor=False)
    bins, ece, score = reliability(scene.rows), scene.fixed["ece"], scene.fixed["brier"]
    tables = {"bins": bins, "perfect": pd.DataFrame({"probability": [0.0, 1.0], "share": [0.0, 1.0]})}
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        _show(calibration.reliability_diagram(ground()), tables, f"Reliability diagram, calibration error {ece}")
        offer(scene, "Calibration", bins, printed.reliability_diagram(bins, ece))
    with right:
        st.markdown(
            f"Images with similar probabilities are taken together, in {len(bins)} groups. A point on the dashed line "
            "keeps its promise: of the images that got 70%, 70% had pneumonia. Below the line the model promises too "
            "much, above it too little."
        )
        st.markdown(
            f"Calibration error (ECE): **{ece}**. Brier score: **{score}**. Both are 0 at best, and the operating "
            "point does not move them."
        )
        if note := _shifted(scene):
            st.markdown(note)
        st.caption(
            "The larger a point, the more images are in it; the lines are 95% intervals. They are exact binomial ones "
            "that count every patient once, so they are rather too wide than too short."
        )
        if scene.probability.min() == scene.probability.max():
            _lacking("Every image got the same probability, so there is one point and no curve.")


def _shifted(scene: Scene) -> str | None:
    """What the calibration error owes to another share of pneumonia than where the model was calibrated, or None where
    that is unknown or the same."""
    counts = scene.export.card.data.counts.get("validation")
    if counts is None or scene.missing_class:
        return None
    before = counts["pneumonia"] / counts["images"]
    if f"{before:.1%}" == f"{scene.prevalence:.1%}" or not 0 < before < 1:
        return None
    moved = scene.rows.assign(probability=at_share(scene.probability, before, scene.prevalence))
    return (
        f"The probabilities were calibrated on images of which {before:.1%} have pneumonia; of these, "
        f"{scene.prevalence:.1%} have. Had the calibration known, the error would be "
        f"**{expected_calibration_error(moved):.3f}**; what is left has other reasons, chance among them."
    )


def _show(spec: dict, tables: dict[str, pd.DataFrame], alt: str, **settings):
    marked = {name: _marked(table) for name, table in tables.items()}
    return st.vega_lite_chart(spec=spec | {"datasets": marked}, width="stretch", alt=alt, **settings)


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with one column more, named after its values. Streamlit 1.65's browser side compares a table that
    comes with the one that it has by size and names alone, and would keep an operating point that has moved."""
    return table.assign(**{f"values {pd.util.hash_pandas_object(table).sum()}": True})


def _lacking(sentence: str) -> None:
    st.info(sentence, icon=":material/info:")

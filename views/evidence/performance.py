"""How often a model is wrong, from its stored prediction rows. No model is run and TensorFlow is not imported."""

import pandas as pd
import streamlit as st

from model_zoo import evaluation
from model_zoo.card import Card
from model_zoo.evaluation import Confusion, Estimate
from model_zoo.registry import Export
from views.shared import address, cache, evidence, figures, words
from views.shared.frame import ground

FIGURES = {
    "accuracy": ("Accuracy", "Of all images, the share that the model calls right."),
    "sensitivity": ("Sensitivity", "Of the images with pneumonia, the share that the model catches."),
    "specificity": ("Specificity", "Of the normal images, the share that the model leaves alone."),
    "ppv": (
        "Positive predictive value",
        "Of the images called pneumonia, the share that are. Falls where pneumonia is rare.",
    ),
    "npv": (
        "Negative predictive value",
        "Of the images called normal, the share that are. Falls where pneumonia is common.",
    ),
    "macro_recall": (
        "Macro recall",
        "The mean of sensitivity and specificity, also called balanced accuracy: both classes count alike.",
    ),
    "auroc": (
        "AUROC",
        "Of all pairs of a pneumonia and a normal image, the share in which the pneumonia scores higher. 0.5 is "
        "guessing.",
    ),
    "ece": (
        "Calibration error (ECE)",
        "How far, on average, the probabilities are from the share that really had pneumonia. 0 is best. Chance adds "
        "to it; its interval is corrected for that, and rougher than the others.",
    ),
    "brier": (
        "Brier score",
        "The mean squared gap between probability and truth. 0 is best, always saying 0.5 gives 0.25.",
    ),
}

_GRID = """<style>
.st-key-figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 0.9rem; }
.st-key-figures > div { width: 100% !important; }
</style>"""


def show_summary(name: str, rows: pd.DataFrame, cells: Confusion) -> None:
    patients = rows["patient_id"].nunique()
    ill = int(rows["label"].sum())
    st.markdown(
        f"{evidence.set_title(name)}: **{len(rows):,} images** of {patients:,} patients, {len(rows) - ill:,} normal "
        f"and {ill:,} with pneumonia. At its operating point the model missed **{cells.false_negatives:,} of {ill:,}** "
        f"pneumonias and raised **{cells.false_positives:,} false alarms** on {len(rows) - ill:,} normal images."
    )


def show_charts(export: Export, name: str, rows: pd.DataFrame, cells: Confusion, rates: dict[str, Estimate]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Right and wrong: the confusion matrix", anchor=False)
        clicked = st.altair_chart(
            figures.confusion_matrix(cells, ground()),
            width="stretch",
            alt=f"Confusion matrix: {cells}",
            key=f"performance.{figures.CELL}",
            on_select="rerun",
            selection_mode=figures.CELL,
        )
        if picked := clicked["selection"].get(figures.CELL):
            view = {"model": export.id, "set": name, "outcome": picked[0]["outcome"]}
            st.switch_page("views/evidence/errors.py", query_params=view)
        st.caption(
            "Each row is the truth, each column what the model said: the teal cells are right, the rust ones wrong. "
            "Click a cell to see its images. The intervals of the shares are those of sensitivity and specificity "
            "below."
        )
        st.page_link(
            "views/evidence/errors.py",
            label="See the images behind these counts",
            icon=":material/rule:",
            query_params={"model": export.id, "set": name},
        )
    with right:
        st.subheader("Every operating point: the ROC curve", anchor=False)
        if rows["label"].nunique() < 2:
            st.info("A ROC curve needs normal images and pneumonias. Only one kind is here.", icon=":material/info:")
            return
        chart = figures.roc_curve(
            evaluation.roc(rows),
            cache.roc_band(rows),
            rates["sensitivity"].value,
            rates["specificity"].value,
            ground(),
        )
        st.altair_chart(chart, width="stretch", alt=f"ROC curve, area {rates['auroc']}")
        st.caption(
            "Moving the operating point trades missed pneumonias for false alarms along this curve; the band is its "
            "95% interval at each point, and the dashed line is guessing."
        )


def show_figures(rates: dict[str, Estimate]) -> None:
    st.subheader("The figures, with their 95% intervals", anchor=False)
    st.caption(
        "With other patients the figures would have come out differently; an interval shows by how much. It is a "
        f"bootstrap interval: as many patients are drawn anew, with replacement, {evaluation.RESAMPLES:,} times, and "
        "the middle 95% of the results are kept."
    )
    st.html(_GRID)
    with st.container(key="figures"):
        for figure, (title, explanation) in FIGURES.items():
            show_card(title, rates[figure], explanation)


def show_card(title: str, estimate: Estimate, explanation: str) -> None:
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.metric(title, number(estimate.value), delta=interval(estimate), delta_color="off", delta_arrow="off")
        st.caption(explanation)


def number(value: float) -> str:
    return "none" if pd.isna(value) else f"{value:.3f}"


def interval(estimate: Estimate) -> str:
    return "no image to count" if pd.isna(estimate.value) else f"95%: {estimate.low:.3f} to {estimate.high:.3f}"


def show_operating_point(card: Card) -> None:
    st.subheader("Where the operating point comes from", anchor=False)
    st.markdown(
        f"An image is called pneumonia from a probability of **{card.threshold.value:.3f}** on. Rule: "
        f"{words.plain(card.threshold.rule)}, chosen on {evidence.set_title(card.threshold.chosen_on)}, never on the "
        f"test split. Probabilities are calibrated with a temperature of {card.temperature:.2f}, found on the same "
        "images."
    )


def show_published(card: Card, name: str, rates: dict[str, Estimate]) -> None:
    if card.reference is None:
        return
    st.subheader("The published figure beside ours", anchor=False)
    st.markdown(f"The recipe follows: {words.plain(card.reference.title)}.")
    table = pd.DataFrame(
        {
            "figure": FIGURES[claim][0] if claim in FIGURES else claim,
            "published": f"{value:.3f}" if isinstance(value, int | float) else str(value),
            "here": str(rates[claim]) if claim in rates else "not computed",
        }
        for claim, value in card.reference.claims.items()
    )
    st.table(table.set_index("figure"), width="content")
    st.caption(
        f"Published on: {words.plain(card.reference.protocol)}. Here: {evidence.set_title(name)}, at the operating "
        "point above. Only figures of the same protocol can be compared."
    )


def show_protocol(card: Card) -> None:
    st.subheader("How images were kept apart", anchor=False)
    protocol = card.data.protocol[:1].upper() + card.data.protocol[1:].rstrip(".")
    st.markdown(f"{words.plain(protocol)}. Licence of the images: {words.plain(card.data.licence)}.")
    if card.data.counts:
        counts = pd.DataFrame.from_dict(card.data.counts, orient="index")
        st.table(counts.map(lambda count: f"{count:,}"), width="content")
    if readings := card.data.test_read:
        dates = ", ".join(moment[:10] for moment in readings)
        times = "once" if len(readings) == 1 else f"{len(readings)} times"
        st.caption(f"The model has read the test split {times}, for reporting only: {dates}.")


def show_training(card: Card) -> None:
    st.subheader("How the model was trained", anchor=False)
    versions = ", ".join(f"{name} {version}" for name, version in card.training.versions.items())
    st.table(
        {
            "Network": card.architecture,
            "Sees": f"{card.side} × {card.side} pixels, {card.channels} channel{'s' if card.channels > 1 else ''}",
            "Weights": f"{card.weights.parameters:,}, started from {card.weights.started_from}, "
            f"{card.weights.bytes / 1e6:.1f} MB",
            "Training": f"{card.training.epochs} epochs, {card.training.seconds / 60:.0f} minutes, "
            f"{card.training.device}",
            "Versions": versions,
        },
        width="stretch",
    )


address.start()
st.title("Performance", anchor=False)
st.markdown("How often is a model right, how is it wrong, and how sure can we be of these figures?")
export, name, rows = evidence.choose()
threshold = export.card.threshold.value
cells, rates = evaluation.confusion(rows, threshold), cache.estimates(rows, threshold)
for remark in evidence.remarks(name, export):
    st.info(remark, icon=":material/info:")
show_summary(name, rows, cells)
show_charts(export, name, rows, cells, rates)
show_figures(rates)
show_operating_point(export.card)
show_published(export.card, name, rates)
show_protocol(export.card)
show_training(export.card)

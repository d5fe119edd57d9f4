"""The figures of one threshold with their intervals, in cards, and what they become where pneumonia is rarer."""

import pandas as pd
import streamlit as st

from model_zoo import intervals, selection
from model_zoo.evaluation import Estimate
from views.shared import address, words
from views.shared.performance.downloads import offer
from views.shared.performance.scene import Scene

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
    "f1": ("F1", "The harmonic mean of sensitivity and positive predictive value: low when either is."),
    "auroc": (
        "AUROC",
        "Of all pairs of a pneumonia and a normal image, the share in which the pneumonia scores higher. 0.5 is "
        "guessing.",
    ),
    "average_precision": (
        "Average precision",
        "The positive predictive value, averaged over all shares of pneumonias caught. Guessing gets the share of "
        "pneumonia. Where it is 1, its interval is empty and promises too much.",
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
# The range of the slider, in percent: at the ends nothing is left to compute.
RAREST, COMMONEST = 0.5, 99.5
# A share of ill children that a button offers.
A_CLINIC = 0.05
_PREVALENCE = "performance.prevalence"
_GRID = """<style>
.st-key-figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 0.9rem; }
.st-key-figures > div { width: 100% !important; }
</style>"""


def show_figures(scene: Scene, threshold: float, found: dict[str, Estimate]) -> None:
    """found: every one of FIGURES."""
    st.header("The figures, with their 95% intervals", anchor=False)
    st.caption(
        "With other patients the figures would have come out differently; an interval shows by how much. It is a "
        f"bootstrap interval: as many patients are drawn anew, with replacement, {intervals.RESAMPLES:,} times, and "
        "the middle 95% of the results are kept. A rate of 0 or 1 stays the same whoever is drawn, so it has the exact "
        "binomial interval of its patients. The interval of an AUROC of 0 or 1, or of fewer than "
        f"{intervals.ENOUGH} patients of a class, follows from the numbers of patients (Newcombe 2006). The last four "
        "figures do not depend on the operating point."
    )
    if 1 < scene.patients < 2 * intervals.ENOUGH:
        st.caption(
            f"These are {scene.patients} patients. Of so few, the intervals of average precision, calibration error "
            "and Brier score are too short."
        )
    if scene.patients == 1:
        st.info(
            "All images are of one patient. Drawing patients anew draws the same one, so the intervals below are "
            "empty, or nearly as wide as can be, and say nothing about other patients.",
            icon=":material/info:",
        )
    st.html(_GRID)
    with st.container(key="figures"):
        for figure, (title, explanation) in FIGURES.items():
            _show_card(title, found[figure], explanation)
    offer(scene, "Figures", _table({FIGURES[name][0]: found[name] for name in FIGURES}), threshold=threshold)


def show_prevalence(scene: Scene, threshold: float, rates: dict[str, Estimate]) -> None:
    """The predictive values in a clinic where another share of the children is ill. rates: scene.sweep.estimates() at
    the threshold."""
    st.header("What an alarm is worth in a clinic", anchor=False)
    if scene.missing_class:
        st.info(
            "The worth of an alarm follows from sensitivity and specificity, and one of them cannot be computed: there "
            f"is no image of the class {scene.missing_class} here.",
            icon=":material/info:",
        )
        return
    st.markdown(
        f"Of these images {scene.prevalence:.1%} have pneumonia. Hardly any clinic is like that, and the rarer "
        "pneumonia is, the more of the alarms are false, with the same model."
    )
    prevalence = _choose_prevalence(scene.prevalence)
    found = scene.sweep.predictive_values(threshold, prevalence)
    left, right = st.columns(2)
    with left:
        _show_card("An alarm is true", found["ppv"], "Positive predictive value at this share of ill children.")
    with right:
        _show_card("An all-clear is true", found["npv"], "Negative predictive value at this share of ill children.")
    st.markdown(_in_children(prevalence, rates["sensitivity"].value, rates["specificity"].value))
    st.caption(
        "Sensitivity and specificity are taken to be the same there as on these images, which other children, other "
        "machines and milder cases can prove wrong. The intervals are from the same resamples of patients, or from the "
        "ends of those two rates' intervals where one of them is 0 or 1."
    )


def _choose_prevalence(default: float) -> float:
    """The share of ill children, 0..1, from the slider, the buttons or the address."""
    value = address.parsed("prevalence", _prevalence, f"a number from {RAREST / 100:g} to {COMMONEST / 100:g}")
    if value is None:
        value = min(max(default, RAREST / 100), COMMONEST / 100)
    address.place(_PREVALENCE, round(100 * value, 6))
    with st.container(horizontal=True, gap="small"):
        for title, share in ((f"As in these images: {default:.1%}", None), (f"A clinic: {A_CLINIC:.0%}", A_CLINIC)):
            st.button(
                title,
                icon=":material/check:" if value == (default if share is None else share) else None,
                on_click=address.choose,
                kwargs={"prevalence": None if share is None else str(share)},
                key=f"performance.prevalence.{title}",
            )
    st.slider(
        "Of 100 children who are X-rayed, so many have pneumonia",
        RAREST,
        COMMONEST,
        step=0.5,
        format="%.1f",
        key=_PREVALENCE,
        on_change=lambda: address.choose(prevalence=f"{st.session_state[_PREVALENCE] / 100:g}"),
    )
    return value


def _prevalence(text: str) -> float:
    share = selection.share(text)
    if not RAREST <= 100 * share <= COMMONEST:
        raise ValueError
    return share


def _in_children(prevalence: float, sensitivity: float, specificity: float) -> str:
    """The predictive values in natural frequencies (Gigerenzer and Hoffrage 1995)."""
    ill = round(1000 * prevalence)
    well = 1000 - ill
    caught, alarmed = round(ill * sensitivity), round(well * (1 - specificity))
    told = (
        f"Of 1,000 children, **{ill} are ill**. The model catches {caught} of them and misses {ill - caught}. Of the "
        f"{well} who are well it alarms **{alarmed}**."
    )
    if caught + alarmed == 0:
        return f"{told} Nobody is called ill, so there is no alarm to judge."
    return f"{told} So of {caught + alarmed} alarms, **{caught} are true** and {alarmed} are false."


def _show_card(title: str, estimate: Estimate, explanation: str) -> None:
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.metric(title, words.number(estimate.value), delta=_interval(estimate), delta_color="off", delta_arrow="off")
        st.caption(explanation)


def _interval(estimate: Estimate) -> str:
    return "no image to count" if pd.isna(estimate.value) else f"95%: {estimate.low:.3f} to {estimate.high:.3f}"


def _table(found: dict[str, Estimate]) -> pd.DataFrame:
    return pd.DataFrame([{"figure": name, **vars(estimate)} for name, estimate in found.items()])

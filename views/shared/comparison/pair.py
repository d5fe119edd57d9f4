"""Two models on the images that both have rows of: is the difference more than chance?"""

import pandas as pd
import streamlit as st

from model_zoo import comparison, evaluation
from model_zoo.comparison import ComparisonError
from model_zoo.evaluation import Estimate
from views.shared import address, cache, words
from views.shared.comparison.scene import Scene


def show_pair(scene: Scene) -> None:
    st.header("Is the difference more than chance?", anchor=False)
    rows = scene.rows
    if len(rows) < 2:
        st.info("A comparison needs two models with rows for these images.", icon=":material/info:")
        return
    first, second = _choose_pair(scene)
    try:
        images = comparison.common({first: rows[first], second: rows[second]})
    except ComparisonError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    if images.empty:
        st.info("The two models have no image in common here.", icon=":material/info:")
        return
    positive, patients = images["label"].to_numpy() == 1, images["patient_id"].to_numpy()
    scores = [images[model_id].to_numpy() for model_id in (first, second)]
    called = comparison.calls(images, {model_id: scene.thresholds[model_id] for model_id in (first, second)})
    right = [called[model_id].to_numpy() == positive for model_id in (first, second)]
    area, pairs = comparison.auroc_difference(*scores, positive), comparison.mcnemar(*right)
    by_patient = cache.auroc_difference_by_patient(*scores, positive, patients)
    one, other = (f"**{words.plain(scene.titles[model_id])}**" for model_id in (first, second))
    areas = [
        evaluation.auroc(rows[model_id][rows[model_id]["image_id"].isin(images.index)]) for model_id in (first, second)
    ]
    st.table(
        pd.DataFrame(
            [
                ("AUROC, DeLong's test", *map(words.number, areas), _difference(area.estimate), words.p_value(area.p)),
                ("AUROC, bootstrap over patients", *map(words.number, areas), _difference(by_patient), ""),
                (
                    "Accuracy, McNemar's test",
                    *(words.number(part.mean()) for part in right),
                    _difference(pairs.accuracy.estimate),
                    words.p_value(pairs.accuracy.p),
                ),
            ],
            # Short, so that all of them fit on a phone; the menus above have the same names.
            columns=["figure", "one model", "another model", "difference (95% interval)", "p"],
        ).set_index("figure")
    )
    if pd.isna(area.p):
        st.markdown(
            "AUROC cannot be compared: DeLong's test needs at least two normal images and two pneumonias, and has no "
            "answer where each model ranks all images of a kind alike."
        )
    else:
        st.markdown(
            f"**AUROC**: of all pairs of a pneumonia and a normal image, {one} puts the pneumonia higher in "
            f"{areas[0]:.1%} and {other} in {areas[1]:.1%}; if the two were equally good, chance alone would make a "
            f"gap at least this wide in {_chance(area.p)} of such comparisons."
        )
    st.markdown(
        f"**Accuracy**: exactly one of the two is right on {pairs.first_only + pairs.second_only:,} of the "
        f"{len(images):,} images, {one} on {pairs.first_only:,} and {other} on {pairs.second_only:,}; if the two were "
        f"equally good, chance alone would split them at least this unevenly in {_chance(pairs.accuracy.p)} of such "
        "comparisons."
    )
    st.caption(_optimism(len(images), images["patient_id"].nunique()))


def _choose_pair(scene: Scene) -> tuple[str, str]:
    """Two menus; choosing in the first what the second shows swaps the two."""

    def keep_apart(chosen: str) -> dict[str, str]:
        return {"other": first} if chosen == st.session_state["address.other"] else {}

    model_ids = list(scene.rows)
    left, right = st.columns(2)
    menu = {"format_func": scene.titles.get, "filter_mode": None}
    with left:
        first = address.control(
            st.selectbox, "One model", "model", model_ids, memory="model", others=keep_apart, **menu
        )
    with right:
        others = [model_id for model_id in model_ids if model_id != first]
        return first, address.control(st.selectbox, "Another model", "other", others, memory="other", **menu)


def _optimism(images: int, patients: int) -> str:
    many = (
        "Of 20 comparisons of models that are equally good, chance gives about one a p value below 0.05, so do not try "
        "many and report the best."
    )
    if images == patients:
        return f"No two images here are known to be of one patient; both tests assume that none are. {many}"
    return (
        f"Both tests take every image for a patient of its own, but these {images:,} images are of {patients:,} "
        "patients, and images of one child resemble each other: the tests are surer than they should be. The bootstrap "
        f"over patients in the table is not. {many}"
    )


def _difference(estimate: Estimate) -> str:
    if pd.isna(estimate.value):
        return "none"
    interval = "" if pd.isna(estimate.low) else f" ({estimate.low:+.3f} to {estimate.high:+.3f})"
    return f"{estimate.value:+.3f}{interval}"


def _chance(p: float) -> str:
    return "fewer than 0.1%" if p < 0.001 else f"{p:.1%}"

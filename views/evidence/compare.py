"""Which model is best, on the same images, and is the difference more than chance? From stored prediction rows.

No model is run, and TensorFlow is not imported, until someone asks for the speed on this machine.
"""

from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from cases.collections.base import LABEL_NAMES
from model_zoo import comparison, evaluation
from model_zoo.comparison import ComparisonError
from model_zoo.evaluation import Estimate
from model_zoo.predictions import PredictionsError
from model_zoo.registry import Export, ExportError, readers
from views.shared import address, cache, evidence, words
from views.shared.figures import comparison as figures
from views.shared.frame import ground
from views.shared.model_menu import titles, working_models
from views.shared.published import claims_beside_ours

FIRST = "chest_xray-test"
RATES = {
    "auroc": "AUROC",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "ECE",
}
MEASURES = {"share": "Share of images called alike", "kappa": "Cohen's kappa"}
_SPEED = "compare.speed"


def choose_set(exports: dict[str, Export]) -> str:
    """A menu of the prediction sets that any model has. Ends the page after saying why when there is none."""
    having = {}
    for model_id, export in exports.items():
        for name in cache.prediction_sets(export):
            having.setdefault(name, []).append(model_id)
    if not having:
        st.info("No model has stored predictions. `python -m train evaluate` writes them.", icon=":material/info:")
        st.stop()
    return address.control(
        st.selectbox,
        "Images",
        "set",
        sorted(having, key=lambda name: (name != FIRST, name)),
        memory="set",
        others=lambda name: kept_pair(having[name]),
        format_func=evidence.set_title,
        filter_mode=None,
    )


def kept_pair(model_ids: list[str]) -> dict[str, str | None]:
    """The two models that are compared, or neither where one of them has no rows of a set. model_ids: of those that
    have."""
    pair = {**address.kept("model", model_ids), **address.kept("other", model_ids)}
    return pair if all(pair.values()) else dict.fromkeys(pair)


def read_rows(exports: dict[str, Export], name: str) -> dict[str, pd.DataFrame]:
    """The rows of the models that have this set, best AUROC first; a file that cannot be used is named. Ends the page
    when none is left."""
    rows, without = {}, []
    for model_id, export in exports.items():
        if name not in cache.prediction_sets(export):
            without.append(TITLES[model_id])
            continue
        try:
            rows[model_id] = cache.predictions(export, name)
        except PredictionsError as error:
            st.warning(
                f"{words.plain(TITLES[model_id])} is left out, because its rows cannot be used. "
                f"{words.export_problem(error)}",
                icon=":material/broken_image:",
            )
    if without:
        st.caption(
            f"{len(without)} of {len(exports)} models {'has' if len(without) == 1 else 'have'} no stored rows for "
            f"these images: {words.plain(', '.join(without))}."
        )
    if not rows:
        st.stop()
    areas = {model_id: evaluation.auroc(table) for model_id, table in rows.items()}
    return dict(sorted(rows.items(), key=lambda item: -np.nan_to_num(areas[item[0]])))


def show_leaderboard(exports: dict[str, Export], rows: dict[str, pd.DataFrame], rates: dict) -> None:
    st.subheader("Leaderboard", anchor=False)
    table = pd.DataFrame(
        {
            "model": TITLES[model_id],
            **{title: words.rate(rates[model_id][name]) for name, title in RATES.items()},
            **origin(exports[model_id]),
        }
        for model_id in rows
    )
    st.dataframe(table, hide_index=True, width="stretch", column_config={"model": st.column_config.Column(pinned=True)})
    st.caption(
        "Sorted by AUROC. In brackets the 95% interval by bootstrap over patients, exact for rates of 0 and 1. "
        "Accuracy, sensitivity and specificity are at each model's own operating point, which was never chosen on a "
        "test split. ECE is the calibration error: how far the probabilities are from the share that really had "
        "pneumonia; 0 is best."
    )
    counts = {TITLES[model_id]: len(table) for model_id, table in rows.items()}
    ids = [frozenset(table["image_id"]) for table in rows.values()]
    if len(set(ids)) > 1:
        listed = ", ".join(f"{words.plain(title)} {count:,}" for title, count in counts.items())
        st.warning(
            f"The models have rows for different images under this name ({listed}), so their figures here cannot be "
            "compared directly. The tests below use the images that they share.",
            icon=":material/difference:",
        )


def origin(export: Export) -> dict[str, str]:
    """The leaderboard's columns of a model's weights."""
    if not export.sees_pixels:
        return {"weights": "none", "parameters": "none", "started from": "sees no pixels"}
    if export.is_committee:
        weights = [member.card.weights for member in export.members]
        return {
            "weights": f"{sum(part.bytes for part in weights) / 1e6:.1f} MB",
            "parameters": f"{sum(part.parameters for part in weights):,}",
            "started from": f"its {len(weights)} members",
        }
    weights = export.card.weights
    return {
        "weights": f"{weights.bytes / 1e6:.1f} MB",
        "parameters": f"{weights.parameters:,}",
        "started from": weights.started_from,
    }


def show_curves(rows: dict[str, pd.DataFrame], rates: dict) -> None:
    st.subheader("ROC curves", anchor=False)
    drawn = {model_id: table for model_id, table in rows.items() if table["label"].nunique() == 2}
    if not drawn:
        st.info("A ROC curve needs normal images and pneumonias. Only one kind is here.", icon=":material/info:")
        return
    points = {
        TITLES[model_id]: (rates[model_id]["sensitivity"].value, rates[model_id]["specificity"].value)
        for model_id in drawn
    }
    # In the order of the ids, so that a model keeps its colour when another set changes the ranking.
    curves = {TITLES[model_id]: evaluation.roc(drawn[model_id]) for model_id in sorted(drawn)}
    best = next(iter(drawn))
    alt = f"ROC curves of {words.counted(len(drawn), 'model')}, best {TITLES[best]}, area {rates[best]['auroc']}"
    baselines = [TITLES[model_id] for model_id in drawn if not EXPORTS[model_id].sees_pixels]
    st.altair_chart(figures.roc_curves(curves, points, ground(), baselines), width="stretch", alt=alt)
    st.caption(
        "Nearer to the upper left corner is better; the dashed diagonal is guessing, the dots are the operating "
        "points. Hover over a curve for its figures; click names in the legend to bring their curves out (with Shift "
        "more than one), and click beside the curves to see all again."
    )


def show_pair(exports: dict[str, Export], rows: dict[str, pd.DataFrame]) -> None:
    st.subheader("Is the difference more than chance?", anchor=False)
    if len(rows) < 2:
        st.info("A comparison needs two models with rows for these images.", icon=":material/info:")
        return
    first, second = choose_pair(list(rows))
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
    called = comparison.calls(images, {model_id: thresholds(exports)[model_id] for model_id in (first, second)})
    right = [called[model_id].to_numpy() == positive for model_id in (first, second)]
    area, pairs = comparison.auroc_difference(*scores, positive), comparison.mcnemar(*right)
    by_patient = cache.auroc_difference_by_patient(*scores, positive, patients)
    one, other = (f"**{words.plain(TITLES[model_id])}**" for model_id in (first, second))
    areas = [
        evaluation.auroc(rows[model_id][rows[model_id]["image_id"].isin(images.index)]) for model_id in (first, second)
    ]
    st.table(
        pd.DataFrame(
            [
                ("AUROC, DeLong's test", *map(figure, areas), difference(area.estimate), words.p_value(area.p)),
                ("AUROC, bootstrap over patients", *map(figure, areas), difference(by_patient), ""),
                (
                    "Accuracy, McNemar's test",
                    *(figure(part.mean()) for part in right),
                    difference(pairs.accuracy.estimate),
                    words.p_value(pairs.accuracy.p),
                ),
            ],
            # Short, so that all of them fit on a phone; the menus above have the same names.
            columns=["figure", "one model", "another model", "difference (95% interval)", "p"],
        ).set_index("figure")
    )
    if pd.isna(area.p):
        st.markdown("AUROC cannot be compared, because it needs at least two normal images and two pneumonias.")
    else:
        st.markdown(
            f"**AUROC**: of all pairs of a pneumonia and a normal image, {one} puts the pneumonia higher in "
            f"{areas[0]:.1%} and {other} in {areas[1]:.1%}; if the two were equally good, chance alone would make a "
            f"gap at least this wide in {chance(area.p)} of such comparisons."
        )
    st.markdown(
        f"**Accuracy**: exactly one of the two is right on {pairs.first_only + pairs.second_only:,} of the "
        f"{len(images):,} images, {one} on {pairs.first_only:,} and {other} on {pairs.second_only:,}; if the two were "
        f"equally good, chance alone would split them at least this unevenly in {chance(pairs.accuracy.p)} of such "
        "comparisons."
    )
    st.caption(optimism(len(images), images["patient_id"].nunique()))


def choose_pair(model_ids: list[str]) -> tuple[str, str]:
    """Two menus; choosing in the first what the second shows swaps the two."""

    def keep_apart(chosen: str) -> dict[str, str]:
        return {"other": first} if chosen == st.session_state["address.other"] else {}

    left, right = st.columns(2)
    menu = {"format_func": TITLES.get, "filter_mode": None}
    with left:
        first = address.control(
            st.selectbox, "One model", "model", model_ids, memory="model", others=keep_apart, **menu
        )
    with right:
        others = [model_id for model_id in model_ids if model_id != first]
        return first, address.control(st.selectbox, "Another model", "other", others, memory="other", **menu)


def optimism(images: int, patients: int) -> str:
    many = "A p value below 0.05 turns up by chance once in 20 comparisons, so do not try many and report the best."
    if images == patients:
        return f"No two images here are known to be of one patient; both tests assume that none are. {many}"
    return (
        f"Both tests take every image for a patient of its own, but these {images:,} images are of {patients:,} "
        "patients, and images of one child resemble each other: the tests are surer than they should be. The bootstrap "
        f"over patients in the table is not. {many}"
    )


def figure(value: float) -> str:
    return "none" if pd.isna(value) else f"{value:.3f}"


def difference(estimate: Estimate) -> str:
    if pd.isna(estimate.value):
        return "none"
    interval = "" if pd.isna(estimate.low) else f" ({estimate.low:+.3f} to {estimate.high:+.3f})"
    return f"{estimate.value:+.3f}{interval}"


def chance(p: float) -> str:
    return "fewer than 0.1%" if p < 0.001 else f"{p:.1%}"


def thresholds(exports: dict[str, Export]) -> dict[str, float]:
    return {model_id: export.card.threshold.value for model_id, export in exports.items()}


def show_agreement(exports: dict[str, Export], name: str, rows: dict[str, pd.DataFrame]) -> None:
    if len(rows) < 2:
        return
    st.subheader("Do the models agree?", anchor=False)
    try:
        images = comparison.common(rows)
    except ComparisonError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    if images.empty:
        st.info("There is no image that all of these models have rows for.", icon=":material/info:")
        return
    points = thresholds(exports)
    called = comparison.calls(images, {model_id: points[model_id] for model_id in rows})
    measure = address.control(
        st.pills, "Show", "measure", list(MEASURES), format_func=MEASURES.get, required=True, wrap=True
    )
    pairs = comparison.agreement(called)
    pairs[["first", "second"]] = pairs[["first", "second"]].replace(TITLES)
    chart = figures.agreement_matrix(pairs, [TITLES[model_id] for model_id in rows], measure, ground())
    alike = pairs[measure].dropna()
    alt = f"{MEASURES[measure]} for every two models: "
    alt += f"{alike.min():.2f} to {alike.max():.2f}" if len(alike) else "none"
    st.altair_chart(chart, width="stretch", alt=alt)
    st.caption(
        f"What two models call the same {len(images):,} images, each at its own operating point. Models that are both "
        "mostly right agree often by chance alone; Cohen's kappa takes that off: 1 is full agreement, 0 is what chance "
        "gives. The darker, the more alike; touch a tile for its figures."
    )
    show_all_wrong(name, images, comparison.all_wrong(images, called), len(rows))


def show_all_wrong(name: str, images: pd.DataFrame, wrong: pd.DataFrame, models: int) -> None:
    st.subheader("Images that all models get wrong", anchor=False)
    if wrong.empty:
        st.success(f"None: every one of the {len(images):,} images is right for some model.", icon=":material/check:")
        return
    ill = int(wrong["label"].sum())
    st.markdown(
        f"**{len(wrong):,} of {len(images):,} images** are wrong for all {models} models: {len(wrong) - ill:,} normal "
        f"called pneumonia and {ill:,} with pneumonia called normal."
    )
    model_ids = list(wrong.columns[2:])
    table = pd.DataFrame(
        {
            "link": [
                f"errors?{urlencode({'model': model_ids[0], 'set': name, 'image': image_id})}"
                for image_id in wrong.index
            ],
            "image": wrong.index,
            "truth": [LABEL_NAMES[label] for label in wrong["label"]],
            "probability": wrong[model_ids].mean(axis=1).to_numpy(),
        }
    )
    st.dataframe(
        # As text, a column would be sorted by its letters.
        table.style.format(words.probability, subset="probability"),
        hide_index=True,
        width="stretch",
        column_config={
            "image": st.column_config.TextColumn(width="large"),
            "probability": st.column_config.NumberColumn("mean probability of pneumonia"),
            "link": st.column_config.LinkColumn("", display_text="look at it", width="small"),
        },
    )
    st.caption(f"The most confident mistake comes first. The links open with {words.plain(TITLES[model_ids[0]])}.")


def show_published(exports: dict[str, Export]) -> None:
    published = {model_id: export for model_id, export in exports.items() if export.card.reference}
    if not published:
        return
    st.subheader("The published figures beside ours", anchor=False)
    table = [
        (TITLES[model_id], *claim) for model_id, export in published.items() for claim in claims_beside_ours(export)
    ]
    st.table(pd.DataFrame(table, columns=["model", "figure", "published", "ours"]).set_index("model"))
    st.caption(
        "Ours is on the same kind of images as the published figure, whichever images are chosen above. A random "
        "quarter of the images has films of the same children on both sides, which flatters every model; it is shown "
        "because the publication did so. What the models follow:\n"
        + "".join(
            f"\n- {words.plain(TITLES[model_id])}: {words.plain(export.card.reference.title)}"
            for model_id, export in published.items()
        )
    )


def show_remarks(exports: dict[str, Export], name: str, model_ids: list[str]) -> None:
    """What a reader must know of a set; with the models' names where it is not the same for all of them."""
    said: dict[str, list[str]] = {}
    for model_id in model_ids:
        for remark in evidence.remarks(name, exports[model_id]):
            said.setdefault(remark, []).append(model_id)
    for remark, of in said.items():
        names = ", ".join(words.plain(TITLES[model_id]) for model_id in of)
        st.info(remark if len(of) == len(model_ids) else f"{names}: {remark}", icon=":material/info:")


def show_speed(exports: dict[str, Export]) -> None:
    st.subheader("Speed on this machine", anchor=False)
    if st.button("Measure the speed", icon=":material/timer:"):
        st.session_state[_SPEED] = measured(exports)
    if not (speeds := st.session_state.get(_SPEED)):
        st.caption("Loads one model after the other and times it; the first time that takes some seconds.")
        return
    for model_id, problem in speeds["problems"].items():
        if model_id not in exports:
            continue
        st.warning(f"{words.plain(TITLES[model_id])}: {words.export_problem(problem)}", icon=":material/warning:")
    if found := {model_id: time for model_id, time in speeds["milliseconds"].items() if model_id in exports}:
        fastest = min(found.values())
        st.table(
            pd.DataFrame(
                {
                    "model": TITLES[model_id],
                    "milliseconds per image": f"{time:.1f}",
                    "times the fastest": f"{time / fastest:.1f}",
                }
                for model_id, time in sorted(found.items(), key=lambda item: item[1])
            ).set_index("model"),
            width="content",
        )
    st.caption(
        "One image at a time through the network, its heatmap included; the quickest of several passes, because "
        "whatever else the machine does only slows a pass down."
    )


def measured(exports: dict[str, Export]) -> dict[str, dict]:
    """ "milliseconds" and "problems" per model's id. The models are loaded one after the other."""
    result = {"milliseconds": {}, "problems": {}}
    exports = readers(exports)
    bar = st.progress(0.0)
    for done, (model_id, export) in enumerate(exports.items()):
        bar.progress(done / len(exports), f"Timing {words.plain(TITLES[model_id])}, {done + 1} of {len(exports)}")
        try:
            result["milliseconds"][model_id] = cache.milliseconds(export)
        except ExportError as error:
            result["problems"][model_id] = str(error)
    bar.empty()
    return result


address.start("Compare models")
st.markdown("Which model is best on the same images, and is the difference more than chance?")
EXPORTS = working_models()
if not EXPORTS:
    st.stop()
TITLES = titles(EXPORTS)
chosen_set = choose_set(EXPORTS)
all_rows = read_rows(EXPORTS, chosen_set)
show_remarks(EXPORTS, chosen_set, list(all_rows))
all_rates = {
    model_id: cache.estimates(table, EXPORTS[model_id].card.threshold.value) for model_id, table in all_rows.items()
}
show_leaderboard(EXPORTS, all_rows, all_rates)
show_curves(all_rows, all_rates)
show_pair(EXPORTS, all_rows)
show_agreement(EXPORTS, chosen_set, all_rows)
show_published(EXPORTS)
show_speed(EXPORTS)

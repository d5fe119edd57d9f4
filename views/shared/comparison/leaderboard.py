"""The models' figures in a table, and their ROC curves."""

import pandas as pd
import streamlit as st

from model_zoo import evaluation
from model_zoo.registry import Export
from views.shared import words
from views.shared.comparison.scene import Scene
from views.shared.figures.comparison import roc_curves
from views.shared.frame import ground

_RATES = {
    "auroc": "AUROC",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "ECE",
}


def show_leaderboard(scene: Scene) -> None:
    st.header("Leaderboard", anchor=False)
    table = pd.DataFrame(
        {
            "model": scene.titles[model_id],
            **{title: words.rate(scene.rates[model_id][name]) for name, title in _RATES.items()},
            **_origin(scene.exports[model_id]),
        }
        for model_id in scene.rows
    )
    st.dataframe(table, hide_index=True, width="stretch", column_config={"model": st.column_config.Column(pinned=True)})
    st.caption(
        "Sorted by AUROC. In brackets the 95% interval by bootstrap over patients, exact for rates of 0 and 1, and "
        "Newcombe's (2006) for an AUROC of 0, of 1 or of few patients. Accuracy, sensitivity and specificity are at "
        "each model's own operating point, which was never chosen on a test split. ECE is the calibration error: how "
        "far the probabilities are from the share that really had pneumonia; 0 is best."
    )
    counts = {scene.titles[model_id]: len(table) for model_id, table in scene.rows.items()}
    ids = [frozenset(table["image_id"]) for table in scene.rows.values()]
    if len(set(ids)) > 1:
        listed = words.listed(f"{title}: {count:,}" for title, count in counts.items())
        st.warning(
            f"The models have rows for different images under this name ({listed}), so their figures here cannot be "
            "compared directly. The tests below use the images that they share.",
            icon=":material/difference:",
        )


def show_curves(scene: Scene) -> None:
    st.header("ROC curves", anchor=False)
    drawn = {model_id: table for model_id, table in scene.rows.items() if table["label"].nunique() == 2}
    if not drawn:
        st.info("A ROC curve needs normal images and pneumonias. Only one kind is here.", icon=":material/info:")
        return
    points = {
        scene.titles[model_id]: (scene.rates[model_id]["sensitivity"].value, scene.rates[model_id]["specificity"].value)
        for model_id in drawn
    }
    # In the order of the ids, so that a model keeps its colour when another set changes the ranking.
    curves = {scene.titles[model_id]: evaluation.roc(drawn[model_id]) for model_id in sorted(drawn)}
    best = next(iter(drawn))
    area = scene.rates[best]["auroc"]
    alt = f"ROC curves of {words.counted(len(drawn), 'model')}, best {scene.titles[best]}, area {area}"
    baselines = [scene.titles[model_id] for model_id in drawn if not scene.exports[model_id].sees_pixels]
    st.altair_chart(roc_curves(curves, points, ground(), baselines), width="stretch", alt=alt)
    st.caption(
        "Nearer to the upper left corner is better; the dashed diagonal is guessing, the dots are the operating "
        "points. Hover over a curve for its figures; click names in the legend to bring their curves out (with Shift "
        "more than one), and click beside the curves to see all again."
    )


def _origin(export: Export) -> dict[str, str]:
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

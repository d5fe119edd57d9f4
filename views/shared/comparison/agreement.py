"""Where the models agree, and what all of them get wrong."""

from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from cases.collections.base import LABEL_NAMES
from model_zoo import comparison
from model_zoo.comparison import ComparisonError
from views.shared import address, words
from views.shared.comparison.scene import Scene
from views.shared.figures.comparison import agreement_matrix
from views.shared.frame import ground

_MEASURES = {"share": "Share of images called alike", "kappa": "Cohen's kappa"}


def show_agreement(scene: Scene) -> None:
    if len(scene.rows) < 2:
        return
    st.header("Do the models agree?", anchor=False)
    try:
        images = comparison.common(scene.rows)
    except ComparisonError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    if images.empty:
        st.info("There is no image that all of these models have rows for.", icon=":material/info:")
        return
    called = comparison.calls(images, scene.thresholds)
    measure = address.control(
        st.pills, "Show", "measure", list(_MEASURES), format_func=_MEASURES.get, required=True, wrap=True
    )
    pairs = comparison.agreement(called)
    pairs[["first", "second"]] = pairs[["first", "second"]].replace(scene.titles)
    chart = agreement_matrix(pairs, [scene.titles[model_id] for model_id in scene.rows], measure, ground())
    alike = pairs[measure].dropna()
    alt = f"{_MEASURES[measure]} for every two models: "
    alt += f"{alike.min():.2f} to {alike.max():.2f}" if len(alike) else "none"
    st.altair_chart(chart, width="stretch", alt=alt)
    st.caption(
        f"What two models call the same {len(images):,} images, each at its own operating point. Models that are both "
        "mostly right agree often by chance alone; Cohen's kappa takes that off: 1 is full agreement, 0 is what chance "
        "gives. The darker, the more alike; touch a tile for its figures."
    )
    _show_all_wrong(scene, images, comparison.all_wrong(images, called))


def _show_all_wrong(scene: Scene, images: pd.DataFrame, wrong: pd.DataFrame) -> None:
    st.header("Images that all models get wrong", anchor=False)
    if wrong.empty:
        st.success(f"None: every one of the {len(images):,} images is right for some model.", icon=":material/check:")
        return
    ill = int(wrong["label"].sum())
    st.markdown(
        f"**{len(wrong):,} of {len(images):,} images** are wrong for all {len(scene.rows)} models: "
        f"{len(wrong) - ill:,} normal called pneumonia and {ill:,} with pneumonia called normal."
    )
    model_ids = list(wrong.columns[2:])
    table = pd.DataFrame(
        {
            "link": [
                f"errors?{urlencode({'model': model_ids[0], 'set': scene.name, 'image': image_id})}"
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
            "link": st.column_config.LinkColumn("open", display_text="look at it", width="small"),
        },
    )
    st.caption(
        f"The most confident mistake comes first. The links open with {words.plain(scene.titles[model_ids[0]])}."
    )

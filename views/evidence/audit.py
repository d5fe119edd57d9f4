"""Which explanations hold up: what was measured of each method's maps, from stored rows.

No model is run, and TensorFlow is not imported.
"""

import pandas as pd
import streamlit as st

from cases.collections import COLLECTIONS
from model_zoo.audit import BLIND, MEASURES
from model_zoo.methods import TITLES
from model_zoo.registry import ExportError, networks
from views.shared import address, cache, evidence, words
from views.shared.figures.audit import audit_chart
from views.shared.frame import ground
from views.shared.model_menu import titles, working_models

SETS = [f"{collection_id}-test" for collection_id in ("chest_xray", "phantom")]
# What is asked of an image whose opacity is known.
OF_OPACITIES = ("in_opacity", "pointing")


def choose() -> tuple[str, str]:
    """The menus of images and measures: (name of a set, key of MEASURES)."""
    left, right = st.columns(2)
    with left:
        name = address.control(
            st.selectbox,
            "Images",
            "set",
            SETS,
            memory="set",
            others=lambda name: address.kept("measure", measures_of(name)),
            format_func=evidence.set_title,
            filter_mode=None,
        )
    with right:
        measure = address.control(
            st.selectbox,
            "Measure",
            "measure",
            measures_of(name),
            memory="measure",
            format_func=lambda measure: MEASURES[measure].title,
            filter_mode=None,
        )
    return name, measure


def measures_of(name: str) -> list[str]:
    """The keys of MEASURES that can be asked of a set."""
    synthetic = COLLECTIONS[name.removesuffix("-test")].synthetic
    return [measure for measure in MEASURES if synthetic or measure not in OF_OPACITIES]


def read_rows(name: str) -> dict[str, pd.DataFrame]:
    """The rows of the networks that were audited; the others are named. Ends the page when none is left."""
    rows, without = {}, []
    for model_id, export in EXPORTS.items():
        try:
            table = cache.audited(export, name)
        except ExportError as error:
            st.warning(words.export_problem(error), icon=":material/broken_image:")
            continue
        if table is None:
            without.append(NAMES[model_id])
        else:
            rows[model_id] = table
    if without:
        st.caption(f"Not measured on these images yet: {words.listed(without)}. `python -m train audit` does it.")
    if not rows:
        st.stop()
    return rows


def show_chart(rows: dict[str, pd.DataFrame], measure: str) -> None:
    asked = MEASURES[measure]
    estimates = {model_id: cache.audit_estimates(table, measure) for model_id, table in rows.items()}
    found = [
        (NAMES[model_id], method, estimate)
        for model_id, by_method in estimates.items()
        for method, estimate in by_method.items()
    ]
    figures = pd.DataFrame(
        [(model, TITLES[method], *vars(of).values()) for model, method, of in found if method in TITLES],
        columns=["model", "method", "value", "low", "high"],
    )
    blind = pd.DataFrame(
        [(model, BLIND[method], of.value) for model, method, of in found if method in BLIND],
        columns=["model", "map", "value"],
    )
    if figures.empty:
        st.info("No map of these images has a figure for this measure.", icon=":material/info:")
        return
    alt = f"{asked.title} by model and method; the table below has the figures"
    drawn = audit_chart(figures, blind, list(TITLES.values()), asked.title, ground())
    st.altair_chart(drawn, width="stretch", alt=alt)
    direction = "right" if asked.better > 0 else "left"
    st.caption(
        f"Further to the {direction} is better. A mark is the mean over images, with its 95% interval (bootstrap over "
        "patients, a little too short where films are few); the strokes are maps that look at no film. The intervals "
        "of two methods may overlap and one still be better on nearly every film, because both are measured on the "
        "same ones."
    )
    columns = [method for method in (*TITLES, *BLIND) if any(method in by for by in estimates.values())]
    table = pd.DataFrame(
        {
            "model": NAMES[model_id],
            **{
                {**TITLES, **BLIND}[method]: str(by_method[method]) if method in by_method else "not measured"
                for method in columns
            },
            "images": rows[model_id]["image_id"].nunique(),
        }
        for model_id, by_method in estimates.items()
    )
    st.dataframe(table, hide_index=True, width="stretch", column_config={"model": st.column_config.Column(pinned=True)})


def show_winners(rows: dict[str, pd.DataFrame], measure: str) -> None:
    """Which methods are better than a map that looks at no film, by more than chance."""
    if not MEASURES[measure].rivalled:
        return
    pairs, won, lines = 0, 0, ""
    for model_id, table in rows.items():
        better = {method: by for method, by in cache.beyond_centre(table, measure).items() if method in TITLES}
        names = [TITLES[method] for method, advantage in better.items() if advantage.low > 0]
        pairs, won = pairs + len(better), won + len(names)
        if names:
            lines += f"\n- {words.plain(NAMES[model_id])}: {', '.join(names)}"
    st.markdown(
        f"**Better than the centre prior, film by film: {won} of {pairs}** pairs of model and method (the 95% interval "
        "of the difference is above 0). Of pairs that are no better, luck alone puts about one in forty here, and some "
        f"more of those measured on few films, whose intervals are a little too short.\n{lines}"
    )


address.start("Audit of heatmaps")
st.markdown(
    "A heatmap always looks convincing. Which ones deserve trust can be measured: against what is known of a film, "
    "against the model itself, and against maps that look at nothing."
)
EXPORTS = networks(working_models(baselines=False))
if not EXPORTS:
    st.stop()
NAMES = titles(EXPORTS)
chosen_set, chosen_measure = choose()
evidence.tell_synthetic(chosen_set)
st.header(MEASURES[chosen_measure].question, anchor=False)
st.markdown(MEASURES[chosen_measure].explanation)
all_rows = read_rows(chosen_set)
show_chart(all_rows, chosen_measure)
show_winners(all_rows, chosen_measure)
st.caption(
    "Images with pneumonia, one per patient, drawn by a fixed seed, the same ones for every method of a model. A large "
    "network may have fewer, and lack the slowest methods, because a map takes it seconds; for the same reason "
    "augmented Grad-CAM, Score-CAM and occlusion are not asked about randomised weights, moved films and other "
    "exposures. Empty maps are left out."
)
st.page_link("views/explore/methods.py", label="See the methods on one film", icon=":material/layers:")

"""What the page on shortcuts shows: one model's figures, those of all models, and one X-ray with its parts blanked."""

import numpy as np
import pandas as pd
import streamlit as st

from cases.phantom import Phantom
from model_zoo.blanking import BORDER, blanked, parts
from model_zoo.predictions import PredictionsError
from model_zoo.registry import Export, ExportError
from model_zoo.shortcuts import CHANGES, NOTHING, Response, sets
from views.shared import cache, film, lungs, synthetic, words
from views.shared.figures import shortcuts as figures
from views.shared.frame import ground
from views.shared.map_cards import card, grid
from views.shared.model_menu import titles
from views.shared.picker import Case

_RATES = {"auroc": "AUROC", "accuracy": "accuracy", "sensitivity": "sensitivity", "specificity": "specificity"}
_PINNED = st.column_config.Column(pinned=True)
_METHOD = (
    f"A part is filled smoothly from what surrounds it. The borders are {BORDER:.0%} of the film on each side, without "
    "the lungs. What stays is not all lung or all rest: the outline of the lungs tells how a film was framed. And a "
    "blanked film is unlike any that a model learnt from, so that a drop does not prove that the part was read; but an "
    "AUROC that stays high without the lungs shows that what is in them was not needed."
)


def show_model(export: Export, name: str, blind: dict[str, Export]) -> None:
    """One model's figures on a set. blind: the baselines that see no pixels. Raises ExportError."""
    found = cache.shortcuts(export, name)
    st.markdown(words.shortcut(found))
    auroc = {change: response.rates["auroc"] for change, response in found.items()}
    before, blind_auroc = auroc[NOTHING].value, _blind_auroc(blind, name)
    table = pd.DataFrame(
        {
            "blanked": words.blanked(change),
            "auroc": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "expected": 0.5 if change == "lungs" else before,
            "said": str(estimate),
        }
        for change, estimate in auroc.items()
    )
    st.altair_chart(
        figures.one_model(table, blind_auroc, ground()),
        width="stretch",
        alt="; ".join(f"{row.blanked} blanked: AUROC {row.said}" for row in table.itertuples()),
    )
    st.caption(
        "The dot is this model with its 95% interval; the ring is where a model that reads the lungs alone would be. "
        f"{_blind_words(blind_auroc)}"
    )
    st.dataframe(_figures(found), hide_index=True, width="stretch", column_config={"blanked": _PINNED})
    st.caption(
        "In brackets the 95% interval by bootstrap over patients, exact for rates of 0 and 1. The rates are at the "
        "model's own operating point. Moved: by how much the probability changes, up or down, on average. Flipped: "
        "the share of the calls that change. Both count only the films that have the part: a side marker was found on "
        f"{found['marker'].films:,} of {found['lungs'].films:,}; the others are as they were. The masks of the lungs "
        "are the true ones."
    )
    st.caption(_METHOD)


def _figures(found: dict[str, Response]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "blanked": words.blanked(change),
            **{title: str(response.rates[rate]) for rate, title in _RATES.items()},
            "moved": _or_none(response.moved),
            "flipped": _or_none(response.flipped),
        }
        for change, response in found.items()
    )


def _or_none(estimate) -> str:
    return "" if estimate is None else str(estimate)


def show_models(exports: dict[str, Export], name: str, blind: dict[str, Export]) -> None:
    """All models that have this set. The others are named, and what cannot be read. blind: as in show_model()."""
    named, found, without = titles(exports), {}, []
    for model_id, export in exports.items():
        if name not in sets(export):
            without.append(named[model_id])
            continue
        try:
            found[model_id] = cache.shortcuts(export, name)
        except ExportError as error:
            st.warning(
                f"{words.plain(named[model_id])} is left out. {words.export_problem(error)}", icon=":material/warning:"
            )
    if without:
        st.caption(f"Not measured on these images: {words.listed(without)}.")
    if not found:
        return
    # The one that needs the lungs most comes first.
    order = sorted(found, key=lambda model_id: found[model_id]["lungs"].rates["auroc"].value)
    table = pd.DataFrame(
        {
            "model": named[model_id],
            "blanked": words.blanked(change),
            "auroc": found[model_id][change].rates["auroc"].value,
            "said": str(found[model_id][change].rates["auroc"]),
        }
        for model_id in order
        for change in CHANGES
    )
    blind_auroc = _blind_auroc(blind, name)
    st.altair_chart(
        figures.all_models(table, [words.blanked(change) for change in CHANGES], blind_auroc, ground()),
        width="stretch",
        alt=f"AUROC of {words.counted(len(order), 'model')} with parts of the films blanked; the table has the figures",
    )
    st.caption(
        "A model that reads the lungs alone would have four marks on one spot, at the right, and that of the blanked "
        f"lungs at 0.5, which is chance. {_blind_words(blind_auroc)}"
    )
    wide = table.pivot(index="model", columns="blanked", values="said").loc[
        [named[model_id] for model_id in order], [words.blanked(change) for change in CHANGES]
    ]
    st.dataframe(wide.reset_index(), hide_index=True, width="stretch", column_config={"model": _PINNED})
    st.caption(f"AUROC, in brackets the 95% interval by bootstrap over patients. {_METHOD}")


def _blind_auroc(blind: dict[str, Export], name: str) -> float | None:
    """AUROC of the first baseline that has rows of a set that can be read."""
    for export in blind.values():
        if name in export.prediction_sets():
            try:
                rows = cache.predictions(export, name)
            except PredictionsError:
                # Its own figures, on the pages that show them, tell what is wrong.
                continue
            return cache.estimates(rows, export.card.threshold.value)["auroc"].value
    return None


def _blind_words(auroc: float | None) -> str:
    """auroc: _blind_auroc()."""
    if auroc is None:
        return ""
    return f"The dotted line, {auroc:.3f}, is what the published width of a file tells, with no pixel seen."


def show_film(case: Case, export: Export) -> None:
    """One X-ray, whole and with each part blanked, and what the model says of each. Raises ExportError."""
    radiograph = case.radiograph
    # A phantom's lungs are known; a network finds those of a film.
    if isinstance(radiograph, Phantom):
        mask = radiograph.lung_fields > 0
    else:
        fields = lungs.find(radiograph)
        if fields is None:
            return
        mask = fields.lungs > 0
    before = cache.explain(export, radiograph.pixels).probability
    with grid():
        with card("whole", "The film", case):
            _show_answer(case, radiograph.pixels, "nothing blanked", export, before)
        for part, hole in parts(radiograph.pixels, mask).items():
            with card(part, f"Blanked: {words.blanked(part)}", case):
                if not hole.any():
                    st.info("No side marker was found on this film.", icon=":material/search_off:")
                    continue
                pixels = blanked(radiograph.pixels, hole)
                after = cache.explain(export, pixels).probability
                _show_answer(case, pixels, f"{words.blanked(part)} blanked", export, after)
                st.caption(f"Moved by {words.moved(before, after)}")
    st.caption(_METHOD)


def _show_answer(case: Case, pixels: np.ndarray, what: str, export: Export, probability: float) -> None:
    alt = f"{synthetic.kind(case.radiograph.synthetic)}, {case.name}, {what}"
    st.image(film.for_screen(pixels), width="stretch", output_format="JPEG", alt=alt)
    call = words.called(probability, export.card.threshold.value)
    st.markdown(f"Probability **{words.probability(probability)}**: calls it {call}")

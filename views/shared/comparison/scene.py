"""What all parts of the page compare show: the models that have rows of one set, best AUROC first."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from model_zoo import evaluation
from model_zoo.evaluation import Estimate
from model_zoo.predictions import PredictionsError
from model_zoo.registry import Export
from views.shared import address, cache, evidence, words
from views.shared.model_menu import titles

_FIRST = "chest_xray-test"


@dataclass(frozen=True)
class Scene:
    """exports, titles: of all working models, those without rows included. name: of the prediction set. rows, rates: of
    the models that have it, best AUROC first; rates are evaluation.estimates at each model's own operating point."""

    exports: dict[str, Export]
    titles: dict[str, str]
    name: str
    rows: dict[str, pd.DataFrame]
    rates: dict[str, dict[str, Estimate]]

    @property
    def thresholds(self) -> dict[str, float]:
        """The models' own operating points."""
        return {model_id: self.exports[model_id].card.threshold.value for model_id in self.rows}


def choose_scene(exports: dict[str, Export]) -> Scene:
    """Ends the page after saying why when no model has rows that can be used."""
    name, called = _choose_set(exports), titles(exports)
    rows = _read_rows(exports, called, name)
    rates = {
        model_id: cache.estimates(table, exports[model_id].card.threshold.value) for model_id, table in rows.items()
    }
    return Scene(exports, called, name, rows, rates)


def _choose_set(exports: dict[str, Export]) -> str:
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
        sorted(having, key=lambda name: (name != _FIRST, name)),
        memory="set",
        others=lambda name: _kept_pair(having[name]),
        format_func=evidence.set_title,
        filter_mode=None,
    )


def _kept_pair(model_ids: list[str]) -> dict[str, str | None]:
    """The two models that are compared, or neither where one of them has no rows of a set. model_ids: of those that
    have."""
    pair = {**address.kept("model", model_ids), **address.kept("other", model_ids)}
    return pair if all(pair.values()) else dict.fromkeys(pair)


def _read_rows(exports: dict[str, Export], called: dict[str, str], name: str) -> dict[str, pd.DataFrame]:
    """The rows of the models that have this set, best AUROC first; a file that cannot be used is named. Ends the page
    when none is left."""
    rows, without = {}, []
    for model_id, export in exports.items():
        if name not in cache.prediction_sets(export):
            without.append(called[model_id])
            continue
        try:
            rows[model_id] = cache.predictions(export, name)
        except PredictionsError as error:
            st.warning(
                f"{words.plain(called[model_id])} is left out, because its rows cannot be used. "
                f"{words.export_problem(error)}",
                icon=":material/broken_image:",
            )
    if without:
        st.caption(
            f"{len(without)} of {len(exports)} models {'has' if len(without) == 1 else 'have'} no stored rows for "
            f"these images: {words.listed(without)}."
        )
    if not rows:
        st.stop()
    areas = {model_id: evaluation.auroc(table) for model_id, table in rows.items()}
    return dict(sorted(rows.items(), key=lambda item: -np.nan_to_num(areas[item[0]])))

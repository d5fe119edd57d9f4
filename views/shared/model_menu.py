"""The menu of the models, the same on every page."""

from collections import Counter
from collections.abc import Callable

import streamlit as st

from model_zoo.registry import Export, readers
from views.shared import address, cache
from views.shared.words import export_problem, plain


def working_models(baselines: bool = True) -> dict[str, Export]:
    """The models that work, by id; those that do not are named. Empty, with the reason said, when there is none.

    baselines: with those that see no pixels. A page that runs a model leaves them out.
    """
    exports, problems = cache.exports()
    for folder, problem in problems.items():
        st.warning(f"The model {plain(folder)} cannot be used. {export_problem(problem)}", icon=":material/warning:")
    exports = exports if baselines else readers(exports)
    if not exports:
        st.info(
            "There is no trained model on this machine yet. `make train-quick` trains a small one on phantoms in about "
            "a minute; `python -m train --help` shows how to train the others.",
            icon=":material/model_training:",
        )
    return exports


def titles(exports: dict[str, Export]) -> dict[str, str]:
    """What each model is called; the id is added where two have one title."""
    called = {model_id: export.card.title for model_id, export in exports.items()}
    alike = Counter(called.values())
    return {model_id: title if alike[title] == 1 else f"{title} ({model_id})" for model_id, title in called.items()}


def beside_another_model(model: Export, others: Callable[[Export], dict]) -> dict[str, str | None]:
    """The parameters that change when a page takes another model, which puts the images of an outcome on other pages,
    and has operating points of its own. others: model -> the parameters of one page that change with it."""
    return {"page": None, "threshold": None, **others(model)}


def choose_model(baselines: bool = False, others: Callable[[Export], dict] = lambda _: {}) -> Export | None:
    """A menu of the working models. None when there is none.

    baselines: as in working_models(). others: as in beside_another_model().
    """
    exports = working_models(baselines)
    if not exports:
        return None
    blind = {model_id: export for model_id, export in cache.exports()[0].items() if model_id not in exports}
    if asked := blind.get(st.query_params.get("model")):
        st.info(
            f"{plain(asked.card.title)} sees no pixels: it cannot read an X-ray, and has no heatmap and no epochs. The "
            "evidence pages have its figures.",
            icon=":material/straighten:",
        )
    model_id = address.control(
        st.selectbox,
        "Model",
        "model",
        list(exports),
        memory="model",
        explained=list(blind),
        others=lambda model_id: beside_another_model(exports[model_id], others),
        format_func=titles(exports).get,
        filter_mode=None,
    )
    return exports[model_id]

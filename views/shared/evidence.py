"""What the evidence pages share: which model and which prediction rows, and an address that reproduces the view.

The address wins, then what this visit chose last, then a default. Only a person's choice writes the address, and then
all of the view, so that it can be shared; writing it on arrival would catch the browser's Back button.
"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cases.collections import COLLECTIONS
from model_zoo.predictions import PredictionsError
from model_zoo.registry import EXPORTS, Export
from views.shared import cache
from views.shared.words import plain

SYNTHETIC = (
    "**Synthetic images.** These phantoms were drawn by a program; no child was X-rayed. They show how the page works, "
    "not how good the model is on real films."
)
# The same memory as the picker's: a model that was chosen on one page is chosen on the next.
_MEMORY = "chosen"
_VIEW = "evidence.view"
_PARTS = {
    "test": "test split",
    "validation": "validation split",
    "random25": "random quarter, as in a published protocol",
}


def choose_model() -> Export | None:
    """A menu of the models, and a sentence for each export that cannot be used. None when there is no model.

    The first thing that a page with a view calls: it starts the view.
    """
    st.session_state[_VIEW] = {}
    exports, problems = cache.exports()
    for folder, problem in problems.items():
        st.warning(f"The model {plain(folder)} cannot be used. {_relative(problem)}", icon=":material/build:")
    if not exports:
        st.info(
            "There is no trained model on this machine yet. `make train-quick` trains a small one on phantoms.",
            icon=":material/model_training:",
        )
        return None
    model_id = chosen("model", list(exports))
    menu("Model", "model", list(exports), model_id, lambda model_id: exports[model_id].card.title, ("page",))
    return exports[model_id]


def choose_rows(export: Export) -> tuple[str, pd.DataFrame] | None:
    """A menu of the export's prediction sets: (name, rows), or None after saying why there are none."""
    names = sorted(export.prediction_sets(), key=lambda name: _rank(name, export.card.data.collection))
    if not names:
        st.info("This model has no stored predictions. `python -m train evaluate` writes them.", icon=":material/info:")
        return None
    name = chosen("set", names)
    menu("Images", "set", names, name, set_title, ("page", "image"))
    try:
        return name, cache.predictions(export, name)
    except PredictionsError as error:
        st.error(
            f"These rows cannot be used. {_relative(str(error))} Other models and other images still work.",
            icon=":material/broken_image:",
        )
        return None


def chosen(name: str, options: Sequence[str], default: str | None = None) -> str:
    """The option that the address names, or else what this visit chose last, or else default (by default the first)."""
    memory = st.session_state.setdefault(_MEMORY, {})
    value = st.query_params.get(name, memory.get(name))
    if value not in options:
        if name in st.query_params:
            st.warning(f"There is no {name} {plain(st.query_params[name])} here. This is another one.")
        value = options[0] if default is None else default
    st.session_state[_VIEW][name] = value
    return value


def addressed(name: str) -> str | None:
    """The address's value of a parameter that has no default, as a part of the view."""
    value = st.query_params.get(name)
    st.session_state[_VIEW][name] = value
    return value


def choose(**parameters: str | None) -> None:
    """Change these parameters of the view as a person's choice, None to leave one out, and write the address."""
    view = {**st.session_state[_VIEW], **parameters}
    st.session_state.setdefault(_MEMORY, {}).update({name: view[name] for name in ("model", "set") if name in view})
    st.query_params.from_dict({name: value for name, value in view.items() if value is not None})


def choose_from_widget(name: str, key: str, **others: str | None) -> None:
    """The on_change callback of the widget `key`: choose its value as the parameter `name`, and others with it."""
    choose(**{name: str(st.session_state[key]), **others})


def menu(label: str, name: str, options: Sequence[str], value: str, title, resets: Sequence[str]) -> None:
    """A select box for the parameter `name` of the view, showing `value`.

    title: option -> text. resets: the parameters that mean nothing once another option is chosen.
    """
    key = f"evidence.{name}"
    st.session_state[key] = value
    st.selectbox(
        label,
        options,
        format_func=title,
        key=key,
        filter_mode=None,
        on_change=choose_from_widget,
        args=(name, key),
        kwargs=dict.fromkeys(resets),
    )


def collection_of(name: str) -> str:
    """The collection's id in a prediction set's name: "chest_xray" of "chest_xray-test"."""
    return name.rpartition("-")[0]


def set_title(name: str) -> str:
    """ "chest_xray-test" as "Kermany chest X-rays (paediatric), test split"."""
    collection_id, _, part = name.rpartition("-")
    title = getattr(COLLECTIONS.get(collection_id), "title", collection_id)
    return f"{title}, {_PARTS.get(part, part)}"


def is_synthetic(name: str) -> bool:
    """Whether a prediction set's images are phantoms, known without opening the collection."""
    return getattr(COLLECTIONS.get(collection_of(name)), "synthetic", False)


def remarks(name: str, export: Export) -> list[str]:
    """What a reader must know before believing figures from this set, one Markdown sentence each."""
    found = []
    card, (collection_id, _, part) = export.card, name.rpartition("-")
    if is_synthetic(name):
        found.append(SYNTHETIC)
    if name == card.threshold.chosen_on or part == "validation":
        found.append("The model's settings were chosen on these very images, so the figures flatter it.")
    if part.startswith("random"):
        found.append(
            "Images were split at random here, not patients: films of one child are on both sides, which flatters the "
            "model. It is shown because a published work did the same."
        )
    if collection_id != card.data.collection and not is_synthetic(name):
        found.append("The model learnt from another collection than this one.")
    return found


def _rank(name: str, own_collection: str) -> tuple:
    collection_id, _, part = name.rpartition("-")
    return part != "test", collection_id != own_collection, name


def _relative(problem: str) -> str:
    return plain(problem.replace(str(EXPORTS), "model_zoo/exports"))

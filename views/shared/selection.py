"""Which cases a person wants to see: read from the address, chosen with a few menus, and said in words."""

from functools import partial

import pandas as pd
import streamlit as st

from model_zoo import selection
from model_zoo.predictions import PredictionsError
from model_zoo.registry import Export
from model_zoo.selection import ALL, Wanted
from views.shared import address, cache, words
from views.shared.performance.operating_points import addressed, operating_points

# Mistakes come first, because they are what the page is for.
OUTCOMES = {
    "false positive": ("False positives", "Normal images that the model calls pneumonia."),
    "false negative": ("False negatives", "Pneumonias that the model calls normal."),
    "true positive": ("True positives", "Pneumonias that the model catches."),
    "true negative": ("True negatives", "Normal images that the model leaves alone."),
    ALL: ("All", "All images, right and wrong."),
}
MISTAKES = ("false positive", "false negative")
AGREEMENTS = {
    ALL: "Whatever they say",
    "everyone": "All agree with this one",
    "some": "Some agree with this one",
    "alone": "This one is alone",
    "all wrong": "All are wrong, this one too",
}
NOTES = {ALL: "Any", "with": "With a star or a note", "starred": "With a star", "without": "Without either"}
SORTS = {
    "least believed": "Lowest probability of the true label first",
    "most believed": "Highest probability of the true label first",
    "probability": "Highest probability of pneumonia first",
    "disagreement": "Widest gap between the models first",
    "patient": "By patient",
}
_CLEARED = {"subtype": None, "probability": None, "agreement": None, "notes": None, "page": None}
_PROBABILITY = "selection.probability"


def other_opinions(export: Export, name: str, rows: pd.DataFrame) -> tuple[dict[str, Export], pd.DataFrame]:
    """The other models with rows of the same set, by id, and their selection.opinions. One whose rows cannot be used
    is named and left out."""
    models, found = {}, {}
    for model_id, other in cache.exports()[0].items():
        if model_id == export.id or name not in cache.prediction_sets(other):
            continue
        try:
            found[model_id] = cache.predictions(other, name)
        except PredictionsError as error:
            st.warning(
                f"The opinion of {words.plain(other.card.title)} is left out. {words.export_problem(error)}",
                icon=":material/warning:",
            )
        else:
            models[model_id] = other
    return models, selection.opinions(rows, found)


def choose_threshold(export: Export) -> float:
    """The threshold that the address names, else the card's; the page says which one it is."""
    own = export.card.threshold.value
    moved = addressed(own, partial(operating_points, export))
    if moved == own:
        st.markdown(
            f"Called pneumonia is what gets a probability of **{own:.3f}** or more, the model's operating point."
        )
        return own
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"Called pneumonia is what gets a probability of **{moved:.6g}** or more, a threshold chosen for this "
            f"view. The model's operating point is {own:.3f}.",
            width="content",
        )
        st.button(
            "Back to the operating point",
            icon=":material/undo:",
            on_click=address.choose,
            kwargs={"threshold": None, "page": None},
        )
    return moved


def read(cases: pd.DataFrame, opened: str | None, others: dict[str, Export]) -> Wanted:
    """What the address asks for. An opened image is among those of its own outcome, whatever the address says, because
    another model or threshold may call it otherwise, or among all. Without either, the first mistake there is.

    cases: selection.cases. opened: the id of an image among them.
    """
    if opened is None:
        outcomes, present = list(OUTCOMES), set(cases["outcome"])
        default = next((mistake for mistake in MISTAKES if mistake in present), MISTAKES[0])
    else:
        default = cases.loc[cases["image_id"] == opened, "outcome"].iloc[0]
        outcomes = [default, ALL]
    low, high = address.parsed("probability", selection.span, "two numbers from 0 to 1, as in 0.2-0.8,") or (0.0, 1.0)
    return Wanted(
        outcome=address.chosen("outcome", outcomes, default, explained=list(OUTCOMES)),
        kind=address.chosen("subtype", _kinds(cases)),
        low=low,
        high=high,
        agreement=address.chosen("agreement", _agreements(others)),
        notes=address.chosen("notes", list(NOTES)),
        sort=address.chosen("sort", list(SORTS)),
    )


def show_outcomes(cases: pd.DataFrame, wanted: Wanted) -> None:
    """The cells of the confusion matrix, with their counts."""
    counts = {**cases["outcome"].value_counts(), ALL: len(cases)}
    address.offer(
        st.pills,
        "Outcome",
        "outcome",
        list(OUTCOMES),
        wanted.outcome,
        others=lambda _: {"page": None, "direction": None},
        format_func=lambda option: f"{OUTCOMES[option][0]} ({counts.get(option, 0):,})",
        required=True,
        label_visibility="collapsed",
    )


def show_filters(cases: pd.DataFrame, wanted: Wanted, others: dict[str, Export]) -> None:
    """The other filters and the order, each behind a button, so that a narrow screen has room for the images."""
    count = len(_active(wanted))
    with st.popover(f"Filter ({count})" if count else "Filter", icon=":material/filter_alt:"):
        address.offer(
            st.pills,
            "Kind of image",
            "subtype",
            _kinds(cases),
            wanted.kind,
            others=_from_the_start,
            format_func=_kind_title,
            required=True,
        )
        address.place(_PROBABILITY, (wanted.low, wanted.high))
        st.slider(
            "Probability of pneumonia", 0.0, 1.0, step=0.01, key=_PROBABILITY, on_change=_choose_probability, width=320
        )
        if others:
            _radio("What the other models say", "agreement", AGREEMENTS, wanted.agreement)
        _radio("Your stars and notes", "notes", NOTES, wanted.notes)
        if count:
            _show_clear("clear in the menu")
    with st.popover("Order", icon=":material/sort:"):
        _radio("Order", "sort", SORTS, wanted.sort)


def say(wanted: Wanted, selected: int, cases: pd.DataFrame) -> None:
    """How many cases remain of how many, and why; a way out when none does."""
    title, meaning = OUTCOMES[wanted.outcome]
    of = int((cases["outcome"] == wanted.outcome).sum()) if wanted.outcome != ALL else len(cases)
    called = title.lower() if wanted.outcome != ALL else "images"
    filters = _active(wanted)
    if not of:
        st.info(f"There are no {called} among these images.", icon=":material/check:")
    elif not selected:
        st.info(
            f"None of the {of:,} {called} is left by the filters: {', '.join(filters)}.", icon=":material/filter_alt:"
        )
        _show_clear("clear")
    elif filters:
        st.markdown(f"{meaning} **{selected:,} of {of:,}** remain: {', '.join(filters)}. {SORTS[wanted.sort]}.")
    else:
        st.markdown(f"{meaning} {SORTS[wanted.sort]}.")


def _active(wanted: Wanted) -> list[str]:
    """The filters that leave something out, in words."""
    found = []
    if wanted.kind != ALL:
        found.append(_kind_title(wanted.kind))
    if (wanted.low, wanted.high) != (0.0, 1.0):
        found.append(f"probability {wanted.low:g} to {wanted.high:g}")
    if wanted.agreement != ALL:
        found.append(f"of the models, {AGREEMENTS[wanted.agreement][0].lower()}{AGREEMENTS[wanted.agreement][1:]}")
    if wanted.notes != ALL:
        found.append(f"{NOTES[wanted.notes][0].lower()}{NOTES[wanted.notes][1:]}")
    return found


def _show_clear(key: str) -> None:
    st.button("Clear the filters", icon=":material/filter_alt_off:", key=key, on_click=address.choose, kwargs=_CLEARED)


def _radio(label: str, name: str, titles: dict[str, str], value: str) -> None:
    address.offer(st.radio, label, name, list(titles), value, others=_from_the_start, format_func=titles.get)


def _choose_probability() -> None:
    low, high = st.session_state[_PROBABILITY]
    address.choose(probability=None if (low, high) == (0, 1) else f"{low:g}-{high:g}", page=None)


def _from_the_start(_) -> dict:
    """Another selection starts at its first page."""
    return {"page": None}


def _kinds(cases: pd.DataFrame) -> list[str]:
    """Kinds of pneumonia first, then of normal images."""
    kinds = cases[["label", "kind"]].drop_duplicates().sort_values(["label", "kind"], ascending=[False, True])
    return [ALL, *kinds["kind"]]


def _kind_title(kind: str) -> str:
    if kind == ALL:
        return "All"
    # The series of normal films are told apart by how their file names begin.
    return f"normal, series {words.plain(kind.rstrip('-'))}" if kind.endswith("-") else words.plain(kind)


def _agreements(others: dict[str, Export]) -> list[str]:
    return list(AGREEMENTS) if others else [ALL]

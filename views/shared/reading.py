"""One radiograph read by one model: films side by side, the opinion, the answer. Moving a control runs no model."""

import math
from functools import partial

import pandas as pd
import streamlit as st

from cases.collections import films_of
from cases.phantom import Phantom
from model_zoo import evaluation
from model_zoo.lungs.regions import LungFields
from model_zoo.overlay import COLOUR_MAPS
from model_zoo.registry import Export
from views.shared import film, heatmap, lungs, members, synthetic, words
from views.shared.figures.probability_scale import probability_scale
from views.shared.figures.style import NORMAL_COLOUR, PNEUMONIA_COLOUR
from views.shared.frame import ground
from views.shared.picker import Case

_LUNG_OUTLINE, _OPACITY_OUTLINE = (120, 200, 255), (255, 215, 60)


@st.fragment
def show(case: Case, model: Export, explanation, reference: pd.DataFrame | None) -> None:
    """explanation: model_zoo.engine.Explanation of the case."""
    sides = words.balance(explanation.signed_map, model.card.heatmap.scale)
    call = words.called(explanation.probability, model.card.threshold.value)
    # Above the opinion, on a phone too, though the opinion need not wait for it.
    doubts = st.container()
    glance = st.container(key="glance")
    films, opinion = st.columns([1.9, 1], gap="large")
    with opinion:
        if _waits_for_a_guess(case):
            hidden, outlines = True, False
        else:
            hidden = False
            with glance:
                _at_a_glance(call, explanation.probability)
            _opinion(case, model, explanation.probability, reference)
            if model.is_committee:
                members.show_opinions(model, explanation)
            outlines = _answer(case, call)
    with doubts:
        fields = lungs.find(case.radiograph)
    with films:
        if hidden:
            _radiograph(case, film.for_screen(case.radiograph.pixels))
        else:
            direction = _side_by_side(case, model, explanation, call, fields, outlines)
            if fields is not None:
                lungs.show_shares(fields, explanation.evidence(direction), direction, sides.peaks[direction])
            _evidence(sides, call)


def show_film(case: Case) -> None:
    """The radiograph alone, for when no model can say anything about it."""
    with st.container(width=560):
        _radiograph(case, film.for_screen(case.radiograph.pixels))


def about(model: Export) -> None:
    """What the model is and what it cannot do, from its card."""
    card = model.card
    with st.container(border=True):
        st.header(f"About {words.plain(card.title)}", anchor=False)
        st.markdown(words.plain(card.summary))
        if card.limits:
            st.markdown("**What it cannot do**\n" + "".join(f"\n- {words.plain(limit)}" for limit in card.limits))
        if model.is_committee:
            st.markdown("**Ask a member alone**")
            members.show_ways(model)
        st.page_link(
            "views/evidence/performance.py",
            label="How often it is right and wrong",
            icon=":material/monitoring:",
            query_params={"model": model.id},
        )


def guesses(collection_id: str) -> dict[str, str]:
    """What was guessed in this visit: image id -> one of LABEL_NAMES."""
    made = st.session_state.get("guesses", {})
    return {image_id: label for (guessed_in, image_id), label in made.items() if guessed_in == collection_id}


def _waits_for_a_guess(case: Case) -> bool:
    """The guessing game: True while it is on and this case's guess is still open."""
    if not _has_answer(case):
        return False
    st.toggle(
        "Guess before the model speaks",
        key="guess_first",
        persist_state="session",
        wrap=True,
    )
    if not st.session_state["guess_first"] or _guess(case):
        return False
    with st.container(border=True):
        st.header("What do you think?", anchor=False)
        with st.container(horizontal=True):
            for label in heatmap.DIRECTIONS:
                st.button(label.capitalize(), key=f"guess {label}", on_click=_remember_guess, args=(case, label))
        st.caption("The model's opinion, the map and the answer follow.")
    return True


def _guess(case: Case) -> str | None:
    return guesses(case.collection_id).get(case.entry.id)


def _remember_guess(case: Case, label: str) -> None:
    st.session_state.setdefault("guesses", {})[case.collection_id, case.entry.id] = label


def _has_answer(case: Case) -> bool:
    return case.entry is not None and case.entry.label is not None


def _at_a_glance(call: str, probability: float) -> None:
    """The call and the probability in a line above the films, on a phone alone, where the opinion stands below them."""
    st.html(
        "<style>@media (min-width: 641px) { .st-key-glance { display: none; } }</style>"
        f'<div style="border-left: 5px solid {_colour_of(call)}; padding-left: 0.9rem">The model calls this '
        f"<strong>{call}</strong>: probability of pneumonia {words.probability(probability)}</div>"
    )


def _opinion(case: Case, model: Export, probability: float, reference: pd.DataFrame | None) -> None:
    threshold = model.card.threshold.value
    call = words.called(probability, threshold)
    st.html(
        f'<div class="opinion" style="border-left: 5px solid {_colour_of(call)}; padding-left: 0.9rem">'
        '<div role="heading" aria-level="2" style="font-size: 0.9rem">'
        f"The model calls this <strong>{call}</strong></div>"
        f'<div style="font-size: 2.4rem; font-weight: 650; line-height: 1.15" data-probability="{probability:.6f}">'
        f"{words.probability(probability)}</div>"
        '<div style="font-size: 0.9rem">probability of pneumonia, says the model</div></div>'
    )
    sentence = words.opinion(probability, threshold)
    scale = probability_scale(probability, threshold, ground())
    st.vega_lite_chart(spec=scale, width="stretch", key="scale", alt=sentence)
    st.markdown(sentence)
    if reference is not None:
        share = evaluation.observed_share(reference, probability)
        st.markdown(words.observed(share, float(reference["label"].mean()), model.card.threshold.chosen_on))
    source = films_of(case.collection_id)
    if caution := words.caution(model.card.data.collection, source, case.entry, case.radiograph.synthetic):
        st.caption(caution)


def _colour_of(call: str) -> str:
    return PNEUMONIA_COLOUR if call == "pneumonia" else NORMAL_COLOUR


def _evidence(sides: words.Balance, call: str) -> None:
    st.header("Evidence for and against", anchor=False)
    if not math.isnan(sides.for_pneumonia):
        share = 100 * sides.for_pneumonia
        st.html(
            '<div role="presentation" style="height: 0.6rem; border-radius: 0.3rem; background: '
            f'linear-gradient(to right, {PNEUMONIA_COLOUR} {share:.1f}%, {NORMAL_COLOUR} {share:.1f}%)"></div>'
        )
    st.markdown(words.evidence(sides, call))


def _answer(case: Case, call: str) -> bool:
    """The true label, on request or after a guess. True when the outlines of the truth are wanted."""
    if not _has_answer(case):
        st.caption("The true answer for this image is not known here.")
        return False
    guess = _guess(case)
    shown = guess is not None or st.toggle("Show the answer", key=f"answer {case.collection_id} {case.entry.id}")
    if not shown:
        return False
    with st.container(border=True):
        st.markdown(f"**Answer: {words.answer(case.entry)}.** {words.verdict(call, case.entry)}")
        if guess:
            st.markdown(words.guessed(guess, case.entry))
        st.caption(words.plain(case.entry.id))
        return isinstance(case.radiograph, Phantom) and st.toggle(
            "Outline the true opacity and the lung fields",
            key="outlines",
            help="Known exactly, because this image is synthetic: yellow for the opacity, blue for the lung fields.",
        )


def _side_by_side(case: Case, model: Export, explanation, call: str, fields: LungFields | None, outlines: bool) -> str:
    """The radiograph and the overlay, and under them the controls that repaint the overlay. Returns the direction."""
    pictures = st.container()
    direction, opacity, colour_map, outline_lungs = _controls(call, fields)
    gray = film.for_screen(case.radiograph.pixels)
    finish = partial(_with_outlines, case=case, fields=fields if outline_lungs else None, truth=outlines)
    with pictures:
        left, right = st.columns(2, gap="small")
    with left:
        _radiograph(case, finish(gray))
    with right:
        st.markdown(f"**Evidence for {direction}**{synthetic.badge(case.radiograph.synthetic)}")
        heatmap.show(gray, explanation, model.card.heatmap.scale, direction, opacity, colour_map, finish)
    return direction


def _controls(call: str, fields: LungFields | None) -> tuple[str, float, str, bool]:
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="overlay_controls"):
        direction = heatmap.choose_direction(call)
        opacity = st.slider(
            "Overlay opacity", 0, 100, 60, step=5, format="%d%%", key="opacity", width=180, persist_state="session"
        )
        colour_map = st.selectbox(
            "Colours", list(COLOUR_MAPS), format_func=str.capitalize, key="colours", width=130, persist_state="session"
        )
        outline_lungs = fields is not None and st.toggle(
            "Outline the lungs",
            value=True,
            key="outline_lungs",
            persist_state="session",
            help="Found by a network of our own, which can err. The patient's right lung is on the left.",
        )
    return direction, opacity / 100, colour_map, outline_lungs


def _radiograph(case: Case, picture) -> None:
    st.markdown(f"**{words.plain(case.name)}**{synthetic.badge(case.radiograph.synthetic)}")
    alt = f"{synthetic.kind(case.radiograph.synthetic)}, {case.name}"
    with st.container(key="radiograph"):
        st.image(picture, width="stretch", output_format="JPEG", alt=alt)
    for note in case.radiograph.notes:
        st.caption(words.plain(note))


def _with_outlines(picture, case: Case, fields: LungFields | None, truth: bool):
    if fields is not None:
        picture = lungs.outlined(picture, fields)
    if not truth:
        return picture
    exact = film.outlined(picture, case.radiograph.lung_fields > 0, _LUNG_OUTLINE)
    return film.outlined(exact, case.radiograph.opacity, _OPACITY_OUTLINE)

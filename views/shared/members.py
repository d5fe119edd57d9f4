"""The members of a committee: what each says of a film, and the way to them where a committee has nothing to show."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from model_zoo.disagreement import calls, spread
from model_zoo.registry import Export
from views.shared import address, words
from views.shared.figures.members import members as members_chart
from views.shared.frame import ground
from views.shared.model_menu import beside_another_model, titles


def show_opinions(committee: Export, explanation) -> None:
    """What each member says of a film, and a warning where they disagree. explanation: engine.Explanation of it."""
    said = explanation.members
    voices = [(committee, explanation.probability), *zip(committee.members, said, strict=True)]
    table = voices_table([(model, probability, model.card.threshold.value) for model, probability in voices])
    st.header("What its members say", anchor=False)
    st.altair_chart(members_chart(table, ground()), width="stretch", key="members", alt=voices_alt(table))
    positive = calls(said, table["threshold"][1:])
    sentence = words.votes(positive, len(said), table["call"][0], min(said), max(said), float(spread(said)))
    if 0 < positive < len(said):
        st.warning(sentence, icon=":material/groups:")
    else:
        st.markdown(sentence)
    st.caption(
        "A stroke is where each begins to call a film pneumonia; the dashed line is the committee's probability."
    )


def voices_table(voices: list[tuple[Export, float, float]]) -> pd.DataFrame:
    """One row per model, its probability and threshold, for figures.members and figures.opinions."""
    names = titles({model.id: model for model, _, _ in voices})
    return pd.DataFrame(
        [
            (names[model.id], probability, limit, words.called(probability, limit), words.probability(probability))
            for model, probability, limit in voices
        ],
        columns=["title", "probability", "threshold", "call", "said"],
    )


def voices_alt(table: pd.DataFrame) -> str:
    """voices_table() in words."""
    return "; ".join(f"{row.title}: {row.said}, calls it {row.call}" for row in table.itertuples())


def show_ways(committee: Export, others: Callable[[Export], dict] = lambda _: {}) -> None:
    """A button for each member that puts it in the committee's place in the view. others: as in
    beside_another_model()."""
    with st.container(horizontal=True):
        for member in committee.members:
            st.button(
                words.plain(member.card.title),
                icon=":material/neurology:",
                on_click=address.choose,
                kwargs={"model": member.id, **beside_another_model(member, others)},
                key=f"member {member.id}",
            )

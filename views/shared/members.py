"""The members of a committee: what each says of a film, and the way to them where a committee has nothing to show."""

import pandas as pd
import streamlit as st

from model_zoo.disagreement import calls, spread
from model_zoo.registry import Export
from views.shared import address, words
from views.shared.figures.members import members as members_chart
from views.shared.frame import ground


def show_opinions(committee: Export, explanation) -> None:
    """What each member says of a film, and a warning where they disagree. explanation: engine.Explanation of it."""
    said = explanation.members
    voices = [(committee, explanation.probability), *zip(committee.members, said, strict=True)]
    table = pd.DataFrame(
        [
            (model.card.title, probability, limit, words.called(probability, limit), words.probability(probability))
            for model, probability in voices
            for limit in [model.card.threshold.value]
        ],
        columns=["title", "probability", "threshold", "call", "said"],
    )
    st.markdown("**What its members say**")
    alt = "; ".join(f"{row.title}: {row.said}, calls it {row.call}" for row in table.itertuples())
    st.altair_chart(members_chart(table, ground()), width="stretch", key="members", alt=alt)
    positive = calls(said, table["threshold"][1:])
    sentence = words.votes(positive, len(said), table["call"][0], min(said), max(said), float(spread(said)))
    if 0 < positive < len(said):
        st.warning(sentence, icon=":material/groups:")
    else:
        st.markdown(sentence)
    st.caption(
        "A stroke is where each begins to call a film pneumonia; the dashed line is the committee's probability."
    )


def show_ways(committee: Export) -> None:
    """A button for each member that puts it in the committee's place in the view."""
    with st.container(horizontal=True):
        for member in committee.members:
            st.button(
                words.plain(member.card.title),
                icon=":material/neurology:",
                on_click=address.choose,
                kwargs={"model": member.id},
                key=f"member {member.id}",
            )

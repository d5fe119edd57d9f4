"""The first page: what LungLens is, what it is not, where to start. It imports nothing heavy."""

import streamlit as st

from cases.collections import COLLECTIONS, available_collections
from model_zoo.registry import Export, scan


def icon_of(model: Export) -> str:
    if model.is_committee:
        return "groups"
    return "neurology" if model.sees_pixels else "straighten"


st.title("LungLens")
st.markdown("**Look at a chest X-ray together with a pneumonia classifier**")
st.markdown(
    "See what the model says, where it looked, how often it is wrong, and why. Made for demos and teaching workshops, "
    "with synthetic X-rays that need no download and no patient."
)
st.page_link("views/learn/lessons.py", label="Lessons for a class, with a sheet to print", icon=":material/school:")
st.space("small")

start, errors, performance = st.columns(3)
with start.container(border=True, height="stretch"):
    st.header("Read an X-ray", anchor=False)
    st.markdown("Upload one or take one from a collection. The model's opinion and its map appear side by side.")
    st.page_link("views/explore/diagnose.py", label="Start here", icon=":material/radiology:")
with errors.container(border=True, height="stretch"):
    st.header("Study the mistakes", anchor=False)
    st.markdown("The images that the model gets most wrong, worst first. They teach more than its successes.")
    st.page_link("views/evidence/errors.py", label="See the errors", icon=":material/rule:")
with performance.container(border=True, height="stretch"):
    st.header("Ask how good it is", anchor=False)
    st.markdown("Sensitivity, specificity and the ROC curve, each with its 95% interval, from stored predictions.")
    st.page_link("views/evidence/performance.py", label="See the performance", icon=":material/monitoring:")

st.space("small")
it_is, it_is_not = st.columns(2, gap="large")
with it_is:
    st.markdown(
        "## What it is\n"
        "- A place to watch a classifier at work, and to doubt it\n"
        "- Trained models, each with a card that says what it learnt from and what it cannot do\n"
        "- Figures computed from predictions that you can open"
    )
with it_is_not:
    st.markdown(
        "## What it is not\n"
        "- A medical device: no decision about a person may rest on it\n"
        "- A second opinion: it knows two words, normal and pneumonia, and uses one of them on any picture\n"
        "- An archive: what you upload stays in memory for your visit and is never stored"
    )

st.space("small")
models, problems = scan()
on_this_machine = available_collections()
left, right = st.columns(2, gap="large")
with left:
    st.markdown("## Models on this machine")
    for model in models.values():
        st.page_link(
            "views/explore/diagnose.py" if model.sees_pixels else "views/evidence/performance.py",
            label=model.card.title if model.sees_pixels else f"{model.card.title}: sees no pixels, has figures only",
            icon=f":material/{icon_of(model)}:",
            query_params={"model": model.id},
        )
    if not models:
        st.caption("None yet. `make train-quick` trains a small one on synthetic X-rays in about a minute.")
    if problems:
        st.caption(f"Not usable: {', '.join(sorted(problems))}. The page *Read an X-ray* says why.")
with right:
    st.markdown("## Collections")
    for name, made in COLLECTIONS.items():
        here = name in on_this_machine
        st.page_link(
            "views/explore/diagnose.py",
            label=made.title if here else f"{made.title}: not on this machine",
            icon=":material/photo_library:" if here else ":material/folder_off:",
            query_params={"collection": name},
        )

"""Lessons for a workshop: a question, what to do in the app, and what there is to find, from stored rows."""

from urllib.parse import urljoin

import pandas as pd
import streamlit as st

from cases.collections import available_collections
from model_zoo.card import CardError
from model_zoo.comparison import ComparisonError
from model_zoo.predictions import PredictionsError
from model_zoo.registry import ExportError
from views.shared import address, cache
from views.shared.lessons.handout import handout
from views.shared.lessons.lesson import Found, Lesson
from views.shared.lessons.syllabus import lessons
from views.shared.words import plain, without_places


def find(lesson: Lesson) -> Found:
    """What there is to find, or why it cannot be told here."""
    exports = cache.exports()[0]
    if missing := [model_id for model_id in lesson.models if model_id not in exports]:
        return Found(f"This lesson needs models that are not here: {', '.join(missing)}.", pd.DataFrame())
    try:
        return lesson.find(exports)
    except (CardError, ComparisonError, ExportError, PredictionsError) as error:
        return Found(f"Stored rows cannot be used. {without_places(error)}", pd.DataFrame())


def show_lesson(key: str, lesson: Lesson) -> None:
    st.header(lesson.title, anchor=False)
    st.caption(f"About {lesson.minutes} minutes. {lesson.aim}")
    with st.container(border=True):
        st.markdown(f"**First, without looking:** {lesson.question}")
    for number, step in enumerate(lesson.steps, 1):
        st.markdown(f"**{number}.** {step.text}")
        if step.page:
            st.page_link(step.page, label=step.opens, icon=":material/arrow_forward:", query_params=step.parameters)
    if st.toggle("Show what there is to find", key=f"lessons.found.{key}", persist_state="session"):
        with st.container(border=True):
            found = find(lesson)
            st.markdown(plain(found.text))
            if not found.table.empty:
                st.dataframe(found.table, hide_index=True, width="stretch")
    st.markdown(f"**To talk about:** {lesson.talk}")


def show_way(keys: list[str], place: int) -> None:
    with st.container(horizontal=True, gap="small"):
        for label, target in (("Lesson before", place - 1), ("Next lesson", place + 1)):
            st.button(
                label,
                disabled=not 0 <= target < len(keys),
                on_click=address.choose,
                kwargs={"lesson": keys[min(max(target, 0), len(keys) - 1)]},
            )


def offer_handouts() -> None:
    sheets = st.popover("To print", icon=":material/print:", on_change="rerun", key="lessons.print")
    # The teacher's takes seconds, and guesses are known only while the page is drawn.
    if not sheets.open:
        return
    root = urljoin(st.context.url or "", ".")
    with sheets:
        with st.spinner("Computing what there is to find…"):
            found = {lesson.title: find(lesson) for lesson in LESSONS.values()}
        for label, name, shown in (
            ("For students", "lessons", None),
            ("For the teacher, with what there is to find", "lessons-teacher", found),
        ):
            st.download_button(
                label,
                handout(list(LESSONS.values()), root, shown),
                f"lunglens-{name}.html",
                "text/html",
                icon=":material/download:",
                on_click="ignore",
            )


FILMS = "chest_xray" if "chest_xray" in available_collections() else "phantom"
LESSONS = lessons(FILMS)

address.start("Lessons")
st.markdown(
    "For a class, or for one person: answer the question first, do the steps, and look at what there is to find "
    "only then. Each lesson stands alone."
)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    chosen = address.control(
        st.selectbox,
        "Lesson",
        "lesson",
        list(LESSONS),
        memory="lesson",
        format_func=lambda key: f"{list(LESSONS).index(key) + 1}. {LESSONS[key].title}",
        filter_mode=None,
        width=420,
    )
    offer_handouts()
# Lessons differ in their number of elements. Without the container, the buttons below would be new ones to the browser,
# which loses the keyboard's place.
with st.container():
    show_lesson(chosen, LESSONS[chosen])
show_way(list(LESSONS), list(LESSONS).index(chosen))

"""What a person writes down about images in this visit: a star and a note each, kept over all pages, and as a CSV."""

import pandas as pd
import streamlit as st

from model_zoo.notes import MAX_LENGTH, STARRED, Note, NotesError, read_notes, write_notes
from views.shared.words import counted, plain

_NOTES, _BOX, _LOADED = "notes", "notes.box", "notes.loaded"


def of(collection_id: str) -> dict[str, Note]:
    """Image id -> Note, of a collection's images with a star or a text."""
    return {image_id: note for (owner, image_id), note in _notes().items() if owner == collection_id}


def _notes() -> dict[tuple[str, str], Note]:
    return st.session_state.setdefault(_NOTES, {})


def show(collection_id: str, image_id: str) -> None:
    """The star and the note of one image, to be changed."""
    note = _notes().get((collection_id, image_id), Note())
    star, text = (f"notes.{kind} {collection_id} {image_id}" for kind in ("star", "text"))
    st.session_state[star], st.session_state[text] = note.star, note.text
    keep = {"on_change": _keep, "args": (collection_id, image_id, star, text)}
    st.toggle("Star", key=star, **keep)
    st.text_area(
        "Note",
        key=text,
        max_chars=MAX_LENGTH,
        height=100,
        placeholder="What is there to see? Kept for this visit; the gallery saves all notes as a CSV file.",
        **keep,
    )


def _keep(collection_id: str, image_id: str, star: str, text: str) -> None:
    note = Note(st.session_state[text].strip(), st.session_state[star])
    if note == Note():
        _notes().pop((collection_id, image_id), None)
    else:
        _notes()[collection_id, image_id] = note


def show_file(cases: pd.DataFrame, opinions: pd.DataFrame, collection_id: str, model_id: str, name: str) -> None:
    """The download of the cases shown, with their notes, and the way to load such a file back.

    cases: selection.select. opinions: selection.opinions of all its rows. name: of the prediction set.
    """
    # The file is made on a click, when the visit's state may be out of reach.
    noted = of(collection_id)
    st.download_button(
        f"Save these {len(cases):,} cases as CSV",
        lambda: write_notes(_table(cases, opinions, noted, collection_id, model_id)),
        file_name=f"{name}-{model_id}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    st.file_uploader(
        "Go on with a file saved before: its stars and notes are added to those of this visit",
        type="csv",
        key=_BOX,
        on_change=_load,
    )
    # A box that was left empties itself, and what was said of its file goes with it.
    if st.session_state[_BOX] is not None and _LOADED in st.session_state:
        kind, sentence = st.session_state[_LOADED]
        kind(plain(sentence))


def _table(
    cases: pd.DataFrame, opinions: pd.DataFrame, noted: dict[str, Note], collection_id: str, model_id: str
) -> pd.DataFrame:
    own = [noted.get(image_id, Note()) for image_id in cases["image_id"]]
    return pd.concat(
        [
            cases[["image_id", "patient_id", "label", "subtype", "outcome"]],
            cases["probability"].rename(f"probability {model_id}"),
            opinions.loc[cases.index].add_prefix("probability "),
        ],
        axis=1,
    ).assign(
        collection=collection_id,
        star=[STARRED if note.star else "" for note in own],
        note=[note.text for note in own],
    )


def _load() -> None:
    """Add the notes of a file. Nothing that was written in this visit is lost: where both have one, it stays."""
    file = st.session_state[_BOX]
    if file is None:
        return
    try:
        loaded = read_notes(file.getvalue())
    except NotesError as error:
        st.session_state[_LOADED] = (st.error, f"{file.name} cannot be used. {error} The notes of this visit are kept.")
        return
    own = _notes()
    differing = sum(own.get(image, note) != note for image, note in loaded.items())
    st.session_state[_NOTES] = {**loaded, **own}
    kept = f" Of {differing:,} of them this visit has another note, which was kept." if differing else ""
    st.session_state[_LOADED] = (st.info, f"Stars and notes of {counted(len(loaded), 'image')} were read.{kept}")

"""Which folder: typed, or in the address, or the shared one; and what lies in it."""

from pathlib import Path

import streamlit as st

from cases.collections.base import LABEL_NAMES, CollectionUnavailable
from cases.collections.folder import FolderCollection
from cases.settings import user_folder
from model_zoo.predictions import DOUBTS
from views.shared import address, cache, words
from views.shared.folder.table import kept_order
from views.shared.visitor import may_read


def choose_folder() -> Path | None:
    """The folder that the address names or a person types, by default the shared one; None after saying why not."""
    typed, key = address.addressed("folder", memory="folder") or "", "address.folder"
    st.session_state[key] = typed
    shared = user_folder()
    st.text_input(
        "Folder of images on the machine that runs LungLens",
        key=key,
        placeholder="The shared folder" if shared else "The path of a folder",
        on_change=address.choose_from_widget,
        args=("folder", key, lambda _: {"page": None, **kept_order(DOUBTS)}),
        help="JPEG, PNG, WebP, TIFF, BMP and DICOM, in the folder and below it. Images in folders called normal and "
        "pneumonia count as labelled.",
    )
    if not typed.strip() and shared is None:
        st.info(
            "Type the path of a folder. The images are read where they are; of each, the probability is kept on this "
            "machine, and nothing else. On a hosted app, only folders that its owner shares can be read: the setting "
            "LUNGLENS_FOLDER names them.",
            icon=":material/folder_open:",
        )
        return None
    return _readable(typed.strip(), shared)


def _readable(typed: str, shared: Path | None) -> Path | None:
    """The folder of a typed path, taken from the shared folder when it is not a full one; None after a refusal."""
    try:
        root = Path(typed).expanduser()
        if not root.is_absolute():
            if shared is None:
                st.error(
                    f"Expected the full path of a folder. Received: {words.plain(typed)}.",
                    icon=":material/folder_off:",
                )
                return None
            root = shared / root
        allowed = may_read(root)
    except (OSError, RuntimeError, ValueError):
        # A name that no disk can hold: too long, a loop of links, a user who is not there.
        st.error(f"Expected the path of a folder. Received: {words.plain(typed[:200])}.", icon=":material/folder_off:")
        return None
    if not allowed:
        where = " Here you can name the shared folder (leave the field empty) and what lies in it." if shared else ""
        st.error(
            "This folder is not read for you. LungLens reads any folder only for a person at the machine that runs it, "
            "in a browser there, at the address localhost: otherwise everyone who can reach the app could look through "
            f"its disk.{where} Whoever runs the app can share a folder with the setting LUNGLENS_FOLDER.",
            icon=":material/lock:",
        )
        return None
    return root


def list_folder(root: Path) -> FolderCollection | None:
    """The images of a folder; None after saying why there are none."""
    try:
        collection = cache.folder(root)
    except CollectionUnavailable as error:
        st.error(words.plain(str(error)), icon=":material/folder_off:")
        return None
    entries = collection.entries()
    if not entries:
        st.error(
            f"Expected images in {words.plain(str(root))} or below it. Received: a folder without any JPEG, PNG, WebP, "
            "TIFF, BMP or DICOM file that can be read.",
            icon=":material/folder_off:",
        )
        return None
    counts = [sum(entry.label == label for entry in entries) for label in (0, 1, None)]
    kinds = [
        f"{count:,} {kind}" for count, kind in zip(counts, (*LABEL_NAMES, "without a label"), strict=True) if count
    ]
    st.caption(f"{words.plain(root.name)}: {words.counted(len(entries), 'image')}, {', '.join(kinds)}.")
    return collection

"""Choosing a radiograph: from a collection or by upload.

Nothing on the page tells a true label: images are numbered, and shuffled the same way for everyone, because file names
and their order give the label away. So the address holds a code of the file's name, and can be shared; a link from a
page that tells the label may hold the name itself.
"""

import base64
import hashlib
import zlib
from dataclasses import dataclass

import streamlit as st

from cases.collections import COLLECTIONS
from cases.collections.base import CollectionUnavailable, Entry
from cases.decode import decode
from cases.pixels import printable
from cases.radiograph import Radiograph, RadiographError
from views.shared import address, cache
from views.shared.frame import ground
from views.shared.visitor import at_this_machine
from views.shared.words import folder_names, plain, way_out

UPLOAD = "upload"
PER_PAGE = 10

_SPLIT_NAMES = {"train": "Training", "val": "Validation", "test": "Test"}


@dataclass(frozen=True)
class Case:
    """The radiograph that a person chose. name: how to call it without telling its label.
    collection_id and entry are None for an upload."""

    radiograph: Radiograph
    name: str
    collection_id: str | None = None
    entry: Entry | None = None


def choose_collection() -> str:
    """A choice of all collections, those that are not on this machine included, of the folders that were scored here,
    and UPLOAD."""
    titles = {name: made.title for name, made in COLLECTIONS.items()}
    titles |= {name: f"Folder {plain(known)}" for name, known in folder_names(cache.scored_folders()).items()}
    titles |= {UPLOAD: "Upload"}
    return address.control(
        st.pills,
        "Where the X-ray comes from",
        "collection",
        list(titles),
        memory="collection",
        others=_last_image,
        wrap=True,
        format_func=titles.get,
        required=True,
    )


def choose_case(collection_id: str) -> Case | None:
    """Upload, or thumbnails of a collection. None, with the reason said, when there is nothing to show."""
    if collection_id == UPLOAD:
        return _choose_upload()
    try:
        entries = cache.collection(collection_id).entries()
    except CollectionUnavailable as error:
        st.info(way_out(error, at_this_machine()), icon=":material/folder_off:")
        st.button(
            "Use the phantoms instead",
            on_click=address.choose,
            kwargs={"collection": "phantom", **_last_image("phantom")},
            type="primary",
        )
        return None
    if not entries:
        st.info("There is no image in this collection.", icon=":material/folder_off:")
        return None
    return _choose_entry(collection_id, entries)


def _image_of(collection_id: str) -> str:
    """What the visit remembers the image chosen from a collection as."""
    return f"image of {collection_id}"


def _last_image(collection_id: str) -> dict[str, str | None]:
    """The parameter with the image that this visit saw last in a collection."""
    return {"image": address.recalled(_image_of(collection_id))}


def _choose_entry(collection_id: str, entries: tuple[Entry, ...]) -> Case | None:
    splits = _shuffled_splits(entries)
    first = splits["test" if "test" in splits else next(iter(splits))][0]
    by_code = {_code(entry): entry for entry in entries}
    codes = {entry.id: code for code, entry in by_code.items()}
    memory = _image_of(collection_id)
    entry = by_code[address.chosen("image", list(by_code), _code(first), memory, aliases=codes)]
    shown = splits[entry.split]
    strip = st.container(horizontal=True, wrap=False, gap="small", key="film_strip")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        if len(splits) > 1:
            _split_menu(splits, entry.split)
        # Another chosen image makes another widget, which opens at the page of that image.
        page = st.pagination(
            -(-len(shown) // PER_PAGE),
            default=shown.index(entry) // PER_PAGE + 1,
            max_visible_pages=5,
            # The width of five pages: left to itself beside others, Streamlit 1.65 leaves out the second of two.
            width=264,
            key=f"page of {collection_id} {entry.id}",
        )
    with strip:
        _thumbnails(collection_id, shown, (page - 1) * PER_PAGE, entry)
    try:
        radiograph = cache.radiograph(collection_id, entry.id)
    except RadiographError as error:
        st.error(plain(str(error)), icon=":material/broken_image:")
        return None
    return Case(radiograph, f"Case {shown.index(entry) + 1} of {len(shown)}", collection_id, entry)


def _code(entry: Entry) -> str:
    """What the address calls an image: the same for everyone, and nothing of its label."""
    return hashlib.sha256(entry.id.encode()).hexdigest()[:12]


def _shuffled_splits(entries: tuple[Entry, ...]) -> dict[str | None, list[Entry]]:
    splits = {}
    for entry in sorted(entries, key=lambda entry: zlib.crc32(entry.id.encode())):
        splits.setdefault(entry.split, []).append(entry)
    in_order = [split for split in _SPLIT_NAMES if split in splits]
    return {split: splits[split] for split in in_order + [split for split in splits if split not in in_order]}


def _split_menu(splits: dict, split: str) -> None:
    def choose_split():
        address.choose(image=_code(splits[st.session_state["split_menu"]][0]))

    st.session_state["split_menu"] = split
    st.segmented_control(
        "Part of the collection",
        list(splits),
        format_func=lambda name: f"{_SPLIT_NAMES.get(name, name)} ({len(splits[name]):,})",
        required=True,
        key="split_menu",
        on_change=choose_split,
        label_visibility="collapsed",
    )


def _thumbnails(collection_id: str, shown: list[Entry], start: int, chosen: Entry) -> None:
    st.html(_STRIP_STYLE.format(chosen=st.get_option(f"theme.{ground()}.primaryColor")))
    for number, entry in enumerate(shown[start : start + PER_PAGE], start + 1):
        st.button(
            _thumbnail_label(collection_id, entry, f"Case {number}, chosen" if entry == chosen else f"Case {number}"),
            key=f"thumbnail {collection_id} {entry.id}",
            on_click=address.choose,
            kwargs={"image": _code(entry)},
        )


def _thumbnail_label(collection_id: str, entry: Entry, name: str) -> str:
    try:
        jpeg = cache.thumbnail(collection_id, entry.id)
    except RadiographError:
        return f"{name}: unreadable"
    return f"![{name}](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})"


def _choose_upload() -> Case | None:
    st.file_uploader(
        "A chest X-ray: JPEG, PNG, WebP, TIFF, BMP or DICOM, up to 30 MB",
        key="upload_box",
        on_change=_receive_upload,
    )
    radiograph = st.session_state.get("upload")
    # Streamlit empties a box that was not on the page for a while, and says nothing of it.
    if (problem := st.session_state.get("upload_problem")) and st.session_state["upload_box"] is not None:
        kept = f" Still showing {plain(radiograph.source)}." if radiograph else ""
        st.error(plain(problem) + kept, icon=":material/broken_image:")
    st.caption("The file is read in memory for this visit only. Nothing is stored.")
    if radiograph is None:
        return None
    if st.session_state["upload_box"] is None:
        st.button("Forget this X-ray", icon=":material/delete:", on_click=_forget_upload)
    # Longer names would wrap, and push this film below the one beside it.
    return Case(radiograph, printable(radiograph.source, 28))


def _forget_upload() -> None:
    # A second quick press finds nothing any more.
    st.session_state.pop("upload", None)


def _receive_upload() -> None:
    """Decode a new file once. A bad one leaves the radiograph before it in place.

    So does an empty box, because the browser empties it on the way from one file to the next.
    """
    file = st.session_state["upload_box"]
    st.session_state.pop("upload_problem", None)
    if file is None:
        return
    try:
        st.session_state["upload"] = decode(file.getvalue(), file.name)
    except RadiographError as error:
        st.session_state["upload_problem"] = str(error)


# A button's label may hold an image, drawn as an icon; here it is the whole button. The chosen one is of the same type
# as the others: to the browser, another type is another button, and the keyboard's place is lost.
_STRIP_STYLE = """<style>
.st-key-film_strip {{ overflow-x: auto; padding: 4px; scroll-padding: 4px; }}
.st-key-film_strip > .stElementContainer:has(button) {{ flex: 1 0 4.9rem !important; max-width: 8rem; }}
.st-key-film_strip button {{ padding: 0; width: 100%; aspect-ratio: 1; overflow: hidden; border-width: 0; }}
.st-key-film_strip :is(button div, button span, button p) {{ width: 100%; height: 100%; margin: 0; line-height: 0; }}
.st-key-film_strip button p:not(:has(img)) {{ line-height: 1.3; white-space: normal; font-size: 0.8rem; }}
.st-key-film_strip button img {{ width: 100%; height: 100%; max-height: none; object-fit: cover; margin: 0; }}
.st-key-film_strip button:has(img[alt$=", chosen"]) {{
    padding: 4px; background: {chosen}; scroll-initial-target: nearest;
}}
.st-key-film_strip button img[alt$=", chosen"] {{ border-radius: 0.4rem; }}
</style>"""

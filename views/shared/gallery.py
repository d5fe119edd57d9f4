"""A grid of thumbnails that can be opened, for every page that shows more than one radiograph.

A card is a picture with a button or a link under it, whose area is stretched over the picture by CSS, so that clicking
anywhere on the card opens it, the keyboard reaches it, and a screen reader reads its caption.
"""

from collections.abc import Callable, Sequence

import streamlit as st

from cases.radiograph import RadiographError
from views.shared import address, cache, synthetic
from views.shared.words import plain

_CSS = """<style>
.st-key-{key} {{
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(max(8rem, calc(100% / {columns} - 0.75rem)), 1fr));
    gap: 0.75rem;
}}
.st-key-{key} > div {{ width: 100% !important; min-width: 0; }}
.st-key-{key} [class*="st-key-{key}-card-"] {{ position: relative; gap: 0.15rem; }}
.st-key-{key} [data-testid="stImage"] img {{
    width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 0.5rem; background: #000;
    transition: filter 120ms ease;
}}
.st-key-{key} [data-testid="stElementToolbar"] {{ display: none; }}
.st-key-{key} :is(.stButton button, .stPageLink a) {{
    position: static; justify-content: flex-start; text-align: left; width: 100%; min-height: 0;
    padding: 0.1rem 0.15rem;
}}
.st-key-{key} :is(.stButton, .stPageLink) p {{ font-size: 0.8rem; line-height: 1.25; }}
.st-key-{key} .stPageLink :is(span, p) {{ white-space: normal; overflow: visible; }}
.st-key-{key} :is(.stElementContainer:has(.stButton, .stPageLink), .stPageLink, .stPageLink div) {{ position: static; }}
.st-key-{key} :is(.stButton button, .stPageLink a)::after {{
    content: ""; position: absolute; inset: 0; z-index: 1; border-radius: 0.5rem; cursor: pointer;
}}
.st-key-{key} :is(.stButton button, .stPageLink a):focus-visible::after {{
    outline: 2px solid currentColor; outline-offset: 2px;
}}
.st-key-{key} [class*="st-key-{key}-card-"]:hover img {{ filter: brightness(1.15); }}
</style>"""


def thumbnail_grid(collection_id: str, items: Sequence[str], captions: Sequence[str], key: str) -> None:
    """Thumbnails of a collection's images; a click puts an image's id into the address.

    items: image ids. captions: one short Markdown text per item, shown under its picture. key: unique on the page,
    letters, digits and "-" only, because it names a CSS class. An image that cannot be read shows a sentence in its
    place, and the others stay. Raises CollectionUnavailable.
    """

    def button(place: int) -> None:
        image_id = items[place]
        st.button(
            captions[place],
            key=f"{key}-{image_id}",
            type="tertiary",
            wrap=True,
            on_click=address.choose,
            kwargs={"image": image_id},
        )

    _cards(collection_id, items, button, key, columns=6)


def thumbnail_links(
    collection_id: str,
    items: Sequence[str],
    captions: Sequence[str],
    key: str,
    page: str,
    views: Sequence[dict[str, str]],
    columns: int,
) -> None:
    """As thumbnail_grid(), but each card leads to another page. page: its file. views: its parameters, per item.
    columns: the most in a row; a narrow screen gets fewer."""

    def link(place: int) -> None:
        st.page_link(page, label=captions[place], query_params=views[place])

    _cards(collection_id, items, link, key, columns)


def _cards(collection_id: str, items: Sequence[str], control: Callable[[int], None], key: str, columns: int) -> None:
    """control: draws what opens the item at a place."""
    kind = synthetic.kind(cache.collection(collection_id).synthetic)
    present = cache.image_ids(collection_id)
    st.html(_CSS.format(key=key, columns=columns))
    with st.container(horizontal=True, key=key):
        for place, image_id in enumerate(items):
            with st.container(key=f"{key}-card-{place}"):
                if image_id in present:
                    _picture(collection_id, image_id, kind)
                else:
                    st.caption("Not in this copy of the collection.")
                control(place)


def _picture(collection_id: str, image_id: str, kind: str) -> None:
    try:
        thumbnail = cache.thumbnail(collection_id, image_id)
    except RadiographError as error:
        st.caption(f"Cannot be shown: {plain(str(error))}")
    else:
        st.image(thumbnail, width="stretch", alt=f"{kind} {image_id}")

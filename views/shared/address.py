"""What a page shows, and the address that reproduces it: /diagnose?model=cnn11&collection=phantom&image=test/0001-lobar

The address wins, then what this visit had chosen last when it came to the page, then a default: what is chosen on the
page itself stands in the address, and the browser's Back, to an address without it, is to undo it. Only a person's
choice writes the address, and then all of the view, so that it can be shared; writing it on arrival would catch the
browser's Back button.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

import streamlit as st

from views.shared.frame import arrivals
from views.shared.words import plain

T = TypeVar("T")

# The parameters of the page being drawn; what this visit chose last; (frame.arrivals, that) on arrival at the page;
# (frame.arrivals, parameters that came along from the page before), see leave_for().
_VIEW, _MEMORY, _ARRIVAL, _ALONG = "address.view", "address.memory", "address.arrival", "address.along"


def start(title: str) -> None:
    """The first call of a page with a view, which holds no parameter yet: its title, and a button for its address."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(title, anchor=False, width="content")
        # What was drawn is all of the view. It stands in the address by the time that the page is drawn again.
        if st.button("Share", icon=":material/link:", key="share", on_click=choose):
            _show_link()
    st.session_state[_VIEW] = {}
    if _ARRIVAL not in st.session_state or st.session_state[_ARRIVAL][0] != arrivals():
        st.session_state[_ARRIVAL] = arrivals(), dict(st.session_state.get(_MEMORY, {}))


@st.dialog("Share this view")
def _show_link() -> None:
    st.markdown("This address leads to this very view. Uploads, stars and notes stay with you.")
    query = urlencode(st.query_params.to_dict(), safe="/", quote_via=quote)
    st.code(f"{st.context.url or ''}?{query}", language=None, wrap_lines=True)


def chosen(
    name: str,
    options: Sequence[str],
    default: str | None = None,
    memory: str | None = None,
    explained: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> str:
    """The option that the address names for a parameter, else what this visit had chosen last when it came to the page,
    else default (the first).

    memory: what the visit remembers the choice as; None where it ends with the address. An address that names no
    option is answered with a warning. explained: those that the page itself has said something about instead.
    aliases: options by what else the address may call them.
    """
    value = st.query_params.get(name)
    if aliases:
        value = aliases.get(value, value)
    if value is not None and value not in (*options, *explained):
        st.warning(f"There is no {name} {plain(value)} here. This is another one.", icon=":material/link_off:")
    if value not in options:
        value = _remembered(memory)
    if value not in options:
        value = options[0] if default is None else default
    else:
        _remember(memory, value)
    st.session_state[_VIEW][name] = value
    return value


def chosen_page(items: int, per_page: int) -> tuple[int, int]:
    """(the page that the address names, how many there are), from 1."""
    pages = max(1, math.ceil(items / per_page))
    return int(chosen("page", [str(number) for number in range(1, pages + 1)])), pages


def offer_pages(page: int, pages: int, key: str) -> None:
    """The way to other pages, if there are any. page, pages: chosen_page(). key: of this page of the app alone."""
    if pages > 1:
        place(key, page)
        st.pagination(pages, key=key, on_change=choose_from_widget, args=("page", key))


def recalled(memory: str | None) -> str | None:
    """What this visit chose last under this name, None before any choice."""
    return st.session_state.get(_MEMORY, {}).get(memory)


def _remembered(memory: str | None) -> str | None:
    """What this visit had chosen last under this name when it came to the page."""
    return st.session_state[_ARRIVAL][1].get(memory)


def _remember(memory: str | None, value: str) -> None:
    if memory:
        st.session_state.setdefault(_MEMORY, {})[memory] = value


def addressed(name: str, memory: str | None = None) -> str | None:
    """The address's value of a parameter that has no default, as a part of the view. memory: as in chosen()."""
    value = st.query_params.get(name)
    if value is None:
        value = _remembered(memory)
    if value is not None:
        _remember(memory, value)
    st.session_state[_VIEW][name] = value
    return value


def parsed(name: str, parse: Callable[[str], T], expected: str) -> T | None:
    """The address's value of a parameter as parse reads it; None where there is none.

    A value that parse raises ValueError for is answered with a warning and left out of the view. expected: what should
    stand there, in words.
    """
    value = addressed(name)
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError:
        st.warning(
            f"Expected {expected} as {name} in the address. Received: {plain(value[:80])}. It is left out.",
            icon=":material/link_off:",
        )
        st.session_state[_VIEW][name] = None
        return None


def kept(name: str, options: Collection[str]) -> dict[str, str | None]:
    """For choose(): the parameter as it is in the view when it is one of the options that another choice leaves, else
    left out."""
    value = st.session_state[_VIEW].get(name)
    return {name: value if value in options else None}


def choose(**parameters: str | None) -> None:
    """Change these parameters of the view as a person's choice, None to leave one out, and write the address.

    What the address has for a part of the page that is not drawn now stays: that part may be drawn again.
    """
    arrival, along = st.session_state.get(_ALONG, (0, ()))
    foreign = along if arrival == arrivals() else ()
    own = {name: value for name, value in st.query_params.items() if name not in foreign}
    st.query_params.from_dict(_present({**own, **st.session_state[_VIEW], **parameters}))


def leave_for(page: str, **parameters: str) -> None:
    """Open another page, at these parameters, as a link does. For what cannot be a link, such as a cell of a chart.

    page: its file. Streamlit writes the parameters into the address of the page that is left before it goes, so those
    of its own view come along: the browser's Back finds them again. The other page reads its own alone, and drops them
    at the first choice.
    """
    own = _present({**st.query_params, **st.session_state[_VIEW]})
    st.session_state[_ALONG] = arrivals() + 1, own.keys() - parameters.keys()
    st.switch_page(page, query_params={**own, **parameters})


def _present(view: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in view.items() if value is not None}


def choose_from_widget(name: str, key: str, others: Callable[[str], dict] | None = None) -> None:
    """The on_change callback of the widget `key`: choose its value as the parameter `name`.

    others: value -> the parameters that change with it.
    """
    value = str(st.session_state[key])
    choose(**{name: value}, **(others(value) if others else {}))


def control(
    widget: Callable,
    label: str,
    name: str,
    options: Sequence[str],
    default: str | None = None,
    memory: str | None = None,
    explained: Sequence[str] = (),
    others: Callable[[str], dict] | None = None,
    **settings,
) -> str:
    """A widget for a parameter of the view; returns the option chosen. Its key is "address.<name>".

    widget: st.selectbox or st.pills, called with label, options and settings. default, memory,
    explained: as in chosen(). others: as in choose_from_widget().
    """
    value = chosen(name, options, default, memory, explained)
    offer(widget, label, name, options, value, others, **settings)
    return value


def place(key: str, value: object) -> None:
    """Give a widget, of one page alone, the value that the address has. Where it has it nothing is said to the browser,
    which would take back what was pressed in the meantime.

    Not for a key that pages share: a widget of another page would begin at its default.
    """
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def offer(
    widget: Callable,
    label: str,
    name: str,
    options: Sequence[str],
    value: str,
    others: Callable[[str], dict] | None = None,
    **settings,
) -> None:
    """The widget of control() for a parameter whose value was chosen() before."""
    key = f"address.{name}"
    st.session_state[key] = value
    widget(label, options, key=key, on_change=choose_from_widget, args=(name, key, others), **settings)

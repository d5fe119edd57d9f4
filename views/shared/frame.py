"""What every page needs: the notice, and the ground it is read on. Imports nothing heavy: first visits wait for it."""

import streamlit as st

NOTICE = "For learning, never for diagnosis"

_PAGE, _ARRIVALS = "frame.page", "frame.arrivals"


def arrive(path: str) -> None:
    """Called with the address of the page before it is drawn: coming to it from another one counts as an arrival."""
    if st.session_state.get(_PAGE) != path:
        st.session_state[_PAGE] = path
        st.session_state[_ARRIVALS] = arrivals() + 1


def arrivals() -> int:
    """How often this visit came to a page. It stays the same while a page is drawn again."""
    return st.session_state.get(_ARRIVALS, 0)


def ground() -> str:
    """What the visitor sees text on, "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def notice() -> None:
    """The line that stays in sight on every page, whatever is scrolled."""
    on_primary = st.get_option("theme.dark.backgroundColor") if ground() == "dark" else "#ffffff"
    st.html(
        f"""<style>
        /* Streamlit's is white on either ground. */
        button[kind="primary"] {{ color: {on_primary} !important; }}
        </style>"""
        """<style>
        .stMainBlockContainer { padding-top: 3.5rem; padding-bottom: 3rem; max-width: 84rem; }
        /* In the bar at the top, which stays in place; sticky would scroll away with its wrapper. */
        .st-key-notice { position: fixed; top: 1rem; width: fit-content; z-index: 999990; pointer-events: none; }
        @media (max-width: 640px) { .st-key-notice { margin-left: 2.4rem; } }
        .st-key-notice .stMarkdownBadge { color: inherit !important; }
        /* Streamlit's 0.6 leaves less than the contrast of 4.5 that small text needs. */
        [data-testid="stCaptionContainer"] { opacity: 0.8; }
        [data-testid="stTable"] th, [data-testid="stTable"] th * { color: inherit !important; }
        /* Streamlit's tint of a link that the keyboard is on can hardly be seen. */
        :is([data-testid="stSidebarNavLink"], .stPageLink a):focus-visible {
            color: inherit; outline: 2px solid currentColor;
        }
        /* What the keyboard comes to is scrolled clear of the bar. */
        .stMain { scroll-padding: 4rem 0; }
        </style>"""
    )
    with st.container(key="notice"):
        st.badge(NOTICE, icon=":material/school:", color="primary")

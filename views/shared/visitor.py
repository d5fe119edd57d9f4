"""Who is asking: whether a visitor may have folders of this machine read.

A person at the very machine that runs the app may name any folder that it can read. Others may name only what the
owner of the machine shares, the folder LUNGLENS_FOLDER and what lies in it: a hosted app must not show strangers the
files of its server.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from cases.settings import user_folder

# Set by proxies and tunnels: whoever is behind one may be anywhere, though the proxy itself is on this machine.
_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")


def may_read(folder: Path) -> bool:
    """Whether this visitor may have a folder read. Links are followed first: none leads out of what is shared."""
    shared = user_folder()
    if shared is not None and folder.resolve().is_relative_to(shared.resolve()):
        return True
    return at_this_machine()


def at_this_machine() -> bool:
    """is_here() of this visitor."""
    return is_here(st.context.ip_address, st.context.headers)


def is_here(address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a browser on this machine: over the loopback address, to a page called localhost,
    and through no proxy.

    address: st.context.ip_address, None for loopback. headers: of the request; without a Host nobody is here. A page of
    another site is refused by its Origin, and a name that it points to this machine by the Host.
    """
    if address is not None and not _is_loopback(address):
        return False
    if any(name in headers for name in _FORWARDED):
        return False
    origin = headers.get("Origin")
    return _is_loopback(_host(f"//{headers.get('Host', '')}")) and (origin is None or _is_loopback(_host(origin)))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

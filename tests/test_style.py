"""The colours of the charts can be told from the ground, as WCAG 2 asks of what is no text (1.4.11)."""

import re

import pytest
import streamlit as st

from views.shared import frame
from views.shared.figures import comparison, shortcuts, style

MARKS = {style.RIGHT_COLOUR, style.WRONG_COLOUR, style.LINE_COLOUR, style.QUIET_COLOUR, *style.COLOURS}


def luminance(rgb) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb(colour: str) -> list[float]:
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def contrast(first, second) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", sorted(MARKS.union(shortcuts._COLOURS)))
@pytest.mark.parametrize("ground", ["light", "dark"])
def test_marks_stand_out(colour, ground):
    assert contrast(rgb(colour), rgb(st.get_option(f"theme.{ground}.backgroundColor"))) >= 3


def test_no_colour_is_needed_to_tell_marks_apart():
    assert len(set(style.SHAPES)) >= len(style.COLOURS)


@pytest.mark.parametrize("ground", ["light", "dark"])
def test_small_text_stands_out(ground):
    assert contrast(rgb(style.INK[ground]), rgb(st.get_option(f"theme.{ground}.backgroundColor"))) >= 4.5


@pytest.mark.parametrize("place", [0, 0.5, comparison._SWITCH - 0.001, comparison._SWITCH + 0.001, 1])
def test_text_on_tiles_stands_out(place):
    tile = [
        pale + place * (dark - pale) for pale, dark in zip(rgb(comparison._PALE), rgb(comparison._DARK), strict=True)
    ]
    assert contrast(tile, [1, 1, 1] if place > comparison._SWITCH else [0, 0, 0]) >= 4.5


@pytest.mark.parametrize("ground", ["light", "dark"])
def test_text_on_primary_buttons_stands_out(ground, monkeypatch):
    said = []
    monkeypatch.setattr(frame, "ground", lambda: ground)
    monkeypatch.setattr(frame.st, "html", said.append)
    frame.notice()
    text = re.search(r'button\[kind="primary"\] { color: (#\w+) ', said[0])[1]
    assert contrast(rgb(text), rgb(st.get_option(f"theme.{ground}.primaryColor"))) >= 4.5

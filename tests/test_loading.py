"""Streamlit clears Keras's state after each run of each page: no model that another thread is at may lose by it."""

import functools
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from model_zoo.engine import Engine
from model_zoo.lungs.segmenter import LungSegmenter

ROOT = Path(__file__).resolve().parent.parent


def test_the_libraries_are_passed_over_when_garbage_is_collected():
    """In a process of its own: the tests freeze theirs."""
    code = "import gc, model_zoo.loading, sys; sys.exit(gc.get_freeze_count() < 100_000)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def score(export):
    return Engine(export).scores(np.zeros((1, 32, 32, 1), np.uint8))


def outline(_):
    return LungSegmenter().probabilities(np.zeros((1, 128, 128, 1), np.uint8))


@pytest.mark.parametrize("moment", ["build", "call"])
@pytest.mark.parametrize("ask", [score, outline])
def test_a_page_that_ends_while_a_model_is_loaded_or_traced_takes_nothing_from_it(
    ask, moment, tiny_export, monkeypatch
):
    expected, pages = ask(tiny_export), []
    real = getattr(keras.layers.Conv2D, moment)

    @functools.wraps(real)
    def interrupted(*arguments, **settings):
        if not pages:
            # It runs in a thread of its own, as a visitor's does.
            pages.append(AppTest.from_string("import streamlit as st; st.write('A page.')").run())
        return real(*arguments, **settings)

    monkeypatch.setattr(keras.layers.Conv2D, moment, interrupted)
    # As in a new process.
    monkeypatch.setattr(keras.backend, "clear_session", keras.utils.clear_session)
    np.testing.assert_allclose(ask(tiny_export), expected, rtol=1e-6)
    assert pages[0].markdown[0].value == "A page."

"""What a move of the threshold costs on the page performance, against computing its intervals anew.

A move runs one fragment of the page. Its script time is measured where it runs, in the page as AppTest drives it;
AppTest runs the rest of the page too, which is not counted.
"""

import dataclasses
import statistics
import tempfile
import time
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.timing import medians
from cases.settings import PROJECT_ROOT
from model_zoo import evaluation
from model_zoo.card import write_card
from model_zoo.predictions import COLUMNS, write_predictions
from model_zoo.registry import scan
from views.shared import cache

# Images: moves of the threshold, and computations anew.
SIZES = {624: (30, 5), 100_000: (10, 1)}


def run() -> None:
    print("A move of the threshold on the page performance, medians in ms")
    print("    images      the move's script time    its intervals computed anew    ratio")
    for images, (moves, rounds) in SIZES.items():
        rows = _rows(images)
        anew = medians({"anew": partial(evaluation.estimates, rows, 0.5)}, rounds, warmup=0)["anew"]
        move = _move(rows, moves)
        print(f"{images:10,}{1e3 * move:28.1f}{1e3 * anew:31.1f}{anew / move:9.1f}")


def _rows(images: int) -> pd.DataFrame:
    """Two images per patient, two subgroups in each class, overlapping scores."""
    rng = np.random.default_rng(0)
    patient = np.arange(images) // 2
    label = (rng.random(images) < 0.6)[patient].astype(int)
    probability = 1 / (1 + np.exp(1.2 - 2.4 * label - rng.normal(size=images)))
    names = [f"{('IM', 'NORMAL2-IM')[number % 2]}-{row}.jpeg" for row, number in enumerate(patient)]
    kinds = [("bacteria", "virus")[number % 2] if ill else "" for number, ill in zip(patient, label, strict=True)]
    columns = names, patient.astype(str), label, kinds, probability
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _move(rows: pd.DataFrame, moves: int) -> float:
    """Median seconds of the fragment over moves of the slider, in an app with one model that has these rows."""
    with tempfile.TemporaryDirectory() as folder, _only_export(Path(folder), rows), _timed_fragments() as seconds:
        app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=1800).run()
        app.switch_page("views/evidence/performance.py").run()
        first = len(seconds)
        for move in range(moves):
            app.slider(key="performance.threshold").set_value(round(0.2 + 0.6 * move / moves, 3)).run()
            if app.exception:
                raise RuntimeError(app.exception[0].value)
        return statistics.median(seconds[first:])


@contextmanager
def _only_export(root: Path, rows: pd.DataFrame):
    """The app's models are one, with an existing model's card and these rows for its test and validation splits."""
    card = dataclasses.replace(next(iter(scan()[0].values())).card, id="benchmark")
    predictions = root / card.id / "predictions"
    predictions.mkdir(parents=True)
    write_card(card, root / card.id / "card.json")
    for name in (f"{card.data.collection}-test", card.threshold.chosen_on):
        write_predictions(rows, predictions / f"{name}.csv")
    before, cache.EXPORTS = cache.EXPORTS, root
    try:
        yield
    finally:
        cache.EXPORTS = before


@contextmanager
def _timed_fragments():
    """A list that grows by the seconds of each call of a function that was made a fragment meanwhile."""
    seconds, fragment = [], st.fragment

    def timed(function):
        call = fragment(function)

        @wraps(function)
        def timed_call(*arguments):
            started = time.perf_counter()
            call(*arguments)
            seconds.append(time.perf_counter() - started)

        return timed_call

    st.fragment = timed
    try:
        yield seconds
    finally:
        st.fragment = fragment

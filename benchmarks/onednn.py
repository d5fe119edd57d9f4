"""What oneDNN's convolutions save (model_zoo/__init__.py): the same work in two processes that take turns, one with
them and one without. On a processor with AVX-512 VNNI or AMX TensorFlow uses them by itself."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.timing import medians
from cases.settings import PROJECT_ROOT

MODEL, IMAGES = "champion", 32


def run() -> None:
    print(f"{MODEL}, medians in s")
    print(f"{'work':36}{'without':>9}{'oneDNN':>8}{'ratio':>8}")
    for name, (_, rounds) in WORK.items():
        with _worker(name, "0") as without, _worker(name, "1") as using:
            seconds = medians({"without": without, "oneDNN": using}, rounds)
        ratio = seconds["without"] / seconds["oneDNN"]
        print(f"{name:36}{seconds['without']:9.3f}{seconds['oneDNN']:8.3f}{ratio:8.2f}")


def _explanations(count: int) -> Callable[[], object]:
    from model_zoo.engine import Engine
    from model_zoo.registry import open_export

    engine = Engine(open_export(MODEL))
    side, channels = engine.export.card.side, engine.export.card.channels
    images = np.random.default_rng(0).uniform(0, 255, (count, side, side, channels))
    return lambda: engine.explain(images.astype(np.float32))


def _training_step() -> Callable[[], object]:
    import keras

    from train.recipe import load_recipe

    recipe = load_recipe(MODEL)
    network = recipe.build()
    network.compile("adamw", keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (IMAGES, recipe.side, recipe.side, recipe.channels)).astype(np.float32)
    labels = rng.integers(0, 2, (IMAGES, 1)).astype(np.float32)
    return lambda: network.train_on_batch(images, labels)


# What makes the work ready, and in how many rounds it is done.
WORK = {
    "probability and heatmap, 1 film": (lambda: _explanations(1), 100),
    f"probability and heatmap, {IMAGES} films": (lambda: _explanations(IMAGES), 10),
    f"training step, {IMAGES} films": (_training_step, 5),
}


@contextmanager
def _worker(name: str, onednn: str) -> Iterator[Callable[[], object]]:
    """A process of its own, because TensorFlow decides once; calling what comes does the work there once."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.onednn", name],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )

    def work() -> None:
        process.stdin.write("again\n")
        if not process.stdout.readline():
            raise RuntimeError(f"Expected the worker of {name!r} to answer. Received: its end.")

    try:
        yield work
    finally:
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    make_ready, _ = WORK[sys.argv[1]]
    again = make_ready()
    for _ in sys.stdin:
        again()
        print("done", flush=True)

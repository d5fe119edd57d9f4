"""Nothing is lost: a run goes on after a kill at any moment, and what stops one is said with the way out."""

import dataclasses
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tiny_training
from PIL import Image

from cases.collections import COLLECTIONS
from train.__main__ import main
from train.fit import fit
from train.recipe import Stage, TrainingStopped

RECIPE = dataclasses.replace(
    tiny_training.RECIPE, stages=(Stage("first", 1, 0.02, steps=3), Stage("second", 1, 0.01, steps=3))
)


@pytest.fixture(scope="module", autouse=True)
def blobs():
    COLLECTIONS["blobs"] = tiny_training.Blobs
    yield
    del COLLECTIONS["blobs"]


@pytest.fixture
def untraced():
    """Tracing a network takes longer than a few steps of it."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


class Killed(BaseException):
    """Stands for kill -9: nothing in the training suite may catch it. tests/test_train.py kills a process for real."""


class Killer:
    """Kills at every change to the files of a run, once each: in the middle of a file, before a folder or file gets its
    name, and half way through deleting the one before it."""

    def __init__(self, run: Path):
        self.run, self.kills = run, set()

    def once(self, moment: str, path: Path) -> bool:
        """Whether to kill at this moment: the first time in the same state of the run."""
        state = (moment, path.name, *sorted(folder.name for folder in self.run.glob("checkpoint-[0-9]*")))
        if self.run not in path.parents or state in self.kills:
            return False
        self.kills.add(state)
        return True

    def write(self, real, owner, *arguments, **settings):
        """owner.save(path) and the like, or path.write_text(text)."""
        path = owner if isinstance(owner, Path) else Path(arguments[0])
        real(owner, *arguments, **settings)
        if self.once("write", path):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            raise Killed

    def write_rows(self, real, writer, rows):
        if self.once("write", self.run / "history.csv"):
            raise Killed
        real(writer, rows)

    def replace(self, real, source, target):
        if self.once("before", Path(target)):
            raise Killed
        real(source, target)

    def rmtree(self, real, folder, **settings):
        if Path(folder).exists() and self.once("delete", Path(folder)):
            next(Path(folder).iterdir()).unlink()
            raise Killed
        real(folder, **settings)

    def armed(self) -> ExitStack:
        targets = {
            "pathlib.Path.write_text": self.write,
            "keras.Model.save_weights": self.write,
            "keras.Model.save": self.write,
            "csv.DictWriter.writerows": self.write_rows,
            "os.replace": self.replace,
            "shutil.rmtree": self.rmtree,
        }
        stack = ExitStack()
        for name, kill in targets.items():
            patched = patch(name, autospec=True)
            mock = stack.enter_context(patched)
            mock.side_effect = partial(kill, patched.temp_original)
        return stack


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("untraced")
def test_a_run_killed_at_every_change_to_its_files_ends_where_an_unbroken_one_does(tmp_path):
    unbroken, run = tmp_path / "unbroken", tmp_path / "killed"
    fit(RECIPE, unbroken)
    killer = Killer(run)
    with killer.armed():
        for _ in range(40):
            try:
                fit(RECIPE, run)
                break
            except Killed:
                continue
    moments = {moment[:2] for moment in killer.kills}
    assert {("write", "state.weights.h5"), ("write", "state.json"), ("before", "checkpoint-0002")} <= moments
    assert {("delete", "checkpoint-0001"), ("write", "unfinished.keras"), ("before", "trained.keras")} <= moments
    assert len(killer.kills) >= 12
    weights = [keras.models.load_model(r / "trained.keras", compile=False).get_weights() for r in (run, unbroken)]
    for received, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    histories = [pd.read_csv(r / "history.csv").drop(columns="seconds") for r in (run, unbroken)]
    pd.testing.assert_frame_equal(*histories, rtol=1e-4)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to stand for a full disk")
def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(tmp_path):
    run = tmp_path / "run"
    command = f"ulimit -f 12 && exec {sys.executable} {tiny_training.__file__} {run}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert ended.returncode == 1
    assert f"TrainingStopped: {run}: expected room for the run's files" in ended.stderr
    assert not list(run.glob("checkpoint-[0-9]*"))
    assert fit(tiny_training.RECIPE, run).exists()


def test_an_unreadable_film_is_named_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path))
    for label, name in (("NORMAL", "IM-{:04}-0001.jpeg"), ("PNEUMONIA", "person{}_virus_1.jpeg")):
        folder = tmp_path / "chest_xray" / "train" / label
        folder.mkdir(parents=True)
        for number in range(10):
            Image.new("L", (40, 40), number).save(folder / name.format(number))
    broken = tmp_path / "chest_xray" / "train" / "NORMAL" / "IM-0007-0001.jpeg"
    broken.write_bytes(broken.read_bytes()[:200])
    assert main(["fit", "cnn8", "--run", str(tmp_path / "run")]) == 2
    assert "train/NORMAL/IM-0007-0001.jpeg" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("untraced")
def test_a_loss_that_is_no_number_keeps_the_checkpoint_before_it(tmp_path):
    stages = (RECIPE.stages[0], dataclasses.replace(RECIPE.stages[1], learning_rate=float("nan")))
    with pytest.raises(TrainingStopped, match=r"loss became nan in stage 'second'.*Lower its learning_rate"):
        fit(dataclasses.replace(RECIPE, stages=stages), tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint-0001" / "state.weights.h5").exists()
    assert not (tmp_path / "run" / "trained.keras").exists()

"""Nothing is lost: a run goes on after a kill at any moment, and what stops one is said with the way out. All of it for
a classifier and for the lung-field network."""

import dataclasses
import importlib
import json
import re
import runpy
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
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
from model_zoo.engine import Explanation
from model_zoo.registry import ExportError, open_export
from train.__main__ import main
from train.checkpoints import alone_in
from train.export import evaluate, heatmap_of
from train.fit import fit
from train.lungs import fit as lungs
from train.lungs.data import MaskedImages
from train.recipe import Augmentation, Stage, TrainingStopped, load_recipe, recipe_ids

RECIPE = dataclasses.replace(
    tiny_training.RECIPE, stages=(Stage("first", 1, 0.02, steps=2), Stage("second", 1, 0.01, steps=2))
)
LUNGS = lungs.Settings(
    side=16,
    widths=(2, 4),
    stages=tuple(
        lungs.Stage(name, 1, 0.01, Augmentation(horizontal_flip=True, gamma=0.3)) for name in ("first", "second")
    ),
    batch_size=4,
)


@pytest.fixture(scope="module", autouse=True)
def blobs():
    COLLECTIONS["blobs"] = tiny_training.Blobs
    yield
    del COLLECTIONS["blobs"]


def masked_noise(count: int) -> MaskedImages:
    return MaskedImages(np.random.default_rng(count).integers(0, 256, (count, 16, 16, 2), dtype=np.uint8), ())


@pytest.fixture(params=["classifier", "lungs"])
def kind(request, monkeypatch) -> Callable[..., Path]:
    """Fits one of the two kinds of network, in two stages of an epoch each, in the folder that it is given."""
    monkeypatch.setattr(lungs, "development_sets", lambda *_: (masked_noise(8), masked_noise(4)))

    def run(folder: Path, rate: float = 0.01) -> Path:
        """rate: of the second stage."""
        settings = RECIPE if request.param == "classifier" else LUNGS
        stages = (settings.stages[0], dataclasses.replace(settings.stages[1], learning_rate=rate))
        settings = dataclasses.replace(settings, stages=stages)
        return (fit if request.param == "classifier" else lungs.fit)(settings, folder)

    return run


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
def test_a_run_killed_at_every_change_to_its_files_ends_where_an_unbroken_one_does(kind, tmp_path):
    unbroken, run = tmp_path / "unbroken", tmp_path / "killed"
    kind(unbroken)
    killer = Killer(run)
    with killer.armed():
        for _ in range(40):
            try:
                kind(run)
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
    assert list(histories[0]["stage"]) == ["first", "second"]


@pytest.mark.usefixtures("untraced")
def test_a_run_that_another_process_trains_is_refused_and_left_alone(kind, tmp_path):
    run = tmp_path / "run"
    with alone_in(run):
        files = sorted(run.iterdir())
        with pytest.raises(TrainingStopped, match=r"expected a folder in which no other process trains\..*Wait for it"):
            kind(run)
        assert sorted(run.iterdir()) == files
    assert kind(run).exists()


@contextmanager
def no_file_beyond(count: int):
    """A limit on the bytes of a file, which stands for a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to stand for a full disk")
@pytest.mark.usefixtures("untraced")
def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(kind, tmp_path):
    run = tmp_path / "run"
    said = pytest.raises(TrainingStopped, match=r"expected room for the run's files.*Free some space")
    with no_file_beyond(10**6), said as stopped:
        kind(run)
    assert str(stopped.value).startswith(str(run))
    assert not list(run.glob("checkpoint-[0-9]*"))
    assert kind(run).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to stand for a full disk")
@pytest.mark.parametrize(
    ("command", "writer"),
    [
        (["compare"], "results.write_results"),
        (["audit", "--write-only"], "audit.write_explanations"),
        (["experiments", "--write-only"], "experiments.write_experiments"),
    ],
)
def test_a_page_that_finds_no_room_stays_as_it_was(command, writer, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("as it was")
    module, name = writer.split(".")
    module = importlib.import_module(f"train.{module}")
    monkeypatch.setattr(module, name, partial(getattr(module, name), path=page))
    # Tables that take longer than all else here.
    for section in ("train.audit.methods_section", "train.shortcuts.section"):
        monkeypatch.setattr(section, lambda exports: "")
    with no_file_beyond(1000):
        assert main(command) == 2
    assert f"room to write. Received: [Errno 27] File too large: '{page}'. No file" in capsys.readouterr().err
    assert page.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to stand for a full disk")
def test_an_evaluation_that_finds_no_room_keeps_rows_and_card(tiny_export, tmp_path, monkeypatch, capsys):
    shutil.copytree(tiny_export.folder, tmp_path / "tiny")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    monkeypatch.setattr("train.__main__.open_export", lambda model_id: open_export(model_id, tmp_path))
    monkeypatch.setattr("cases.collections.phantom.SIZES", {"train": 0, "val": 0, "test": 4})
    with no_file_beyond(100):
        assert main(["evaluate", "tiny", "--on", "phantom"]) == 2
    assert "phantom-test.csv'" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_folder_that_cannot_be_made_is_no_full_disk(kind, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingStopped, match="expected a folder that can be written to") as stopped:
        kind(tmp_path / "file" / "run")
    assert "space" not in str(stopped.value)


@pytest.fixture
def films(tmp_path, monkeypatch) -> Path:
    """The data folder: twenty normal films and twenty with pneumonia, each with its lung mask."""
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path))
    for label, name in (("NORMAL", "IM-{:04}-0001"), ("PNEUMONIA", "person{}_virus_1")):
        for collection, suffix in (("chest_xray", "jpeg"), ("lung_masks", "png")):
            folder = tmp_path / collection / "train" / label
            folder.mkdir(parents=True)
            for number in range(20):
                Image.new("L", (40, 40), number).save(folder / f"{name.format(number)}.{suffix}")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "broken"),
    [
        (("fit", "cnn8"), "chest_xray/train/NORMAL/IM-0007-0001.jpeg"),
        (("lungs", "fit"), "chest_xray/train/NORMAL/IM-0007-0001.jpeg"),
        (("lungs", "fit"), "lung_masks/train/PNEUMONIA/person3_virus_1.png"),
    ],
)
def test_an_unreadable_film_or_mask_is_named_before_anything_is_trained(command, broken, films, monkeypatch, capsys):
    monkeypatch.setattr("train.__main__.RUNS", films / "runs")
    path = films / broken
    path.write_bytes(path.read_bytes()[:-20])
    assert main(list(command)) == 2
    assert broken.removeprefix("chest_xray/") in capsys.readouterr().err
    assert not (films / "runs").exists()


@pytest.mark.parametrize(
    ("command", "kept", "said"),
    [
        (("fit", "cnn8"), (0, 20), "7 patients or more of each class.*Received: 0 normal, 20 with pneumonia"),
        (("fit", "cnn8"), (3, 3), "7 patients or more of each class.*Received: 3 normal, 3 with pneumonia"),
        (("fit", "cnn8"), (10, 10), "at least a batch of 32 images to train on. Received: 17, and 3 for validation"),
        (("lungs", "fit"), (20, 6), "7 patients or more of each class.*Received: 20 normal, 6 with pneumonia"),
    ],
)
def test_too_few_films_are_counted_before_any_is_read(command, kept, said, films, monkeypatch, capsys):
    monkeypatch.setattr("train.__main__.RUNS", films / "runs")
    for label, count in zip(("NORMAL", "PNEUMONIA"), kept, strict=True):
        for path in sorted((films / "chest_xray" / "train" / label).iterdir())[count:]:
            path.unlink()
    monkeypatch.setattr("cases.collections.chest_xray.ChestXrayCollection.load", lambda *_: pytest.fail("read"))
    assert main(list(command)) == 2
    assert re.search(said, capsys.readouterr().err)
    assert not (films / "runs").exists()


def test_lungs_are_not_trained_without_a_mask(films, monkeypatch, capsys):
    monkeypatch.setattr("train.__main__.RUNS", films / "runs")
    for path in films.joinpath("lung_masks").rglob("*.png"):
        path.unlink()
    assert main(["lungs", "fit"]) == 2
    assert "Expected lung masks of the training and of the validation images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("collapse", (), "The Kermany chest X-rays are not at"),
        ("realism", ("--model", "nowhere"), "Expected one of the models"),
        ("anatomy", (), "manifest.csv"),
    ],
)
def test_a_module_that_is_a_command_answers_as_the_others_do(module, arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, f"train.{module}", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"train.{module}", run_name="__main__")
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_exports_are_made_and_run_on_tensorflow(monkeypatch, capsys):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match=r"Received: Keras on jax.*set KERAS_BACKEND=tensorflow"):
        runpy.run_module("model_zoo.loading")


@pytest.mark.usefixtures("untraced")
def test_a_loss_that_is_no_number_keeps_the_checkpoint_before_it(kind, tmp_path):
    with pytest.raises(TrainingStopped, match=r"loss became nan in stage 'second'.*Lower its learning_rate"):
        kind(tmp_path / "run", rate=float("nan"))
    assert (tmp_path / "run" / "checkpoint-0001" / "state.weights.h5").exists()
    assert not (tmp_path / "run" / "trained.keras").exists()


def test_lungs_of_other_settings_are_not_mixed_in(tmp_path):
    state = {"settings": {**json.loads(json.dumps(dataclasses.asdict(LUNGS))), "batch_size": 99}, "history": []}
    (tmp_path / "checkpoint-0001").mkdir()
    (tmp_path / "checkpoint-0001" / "state.json").write_text(json.dumps(state))
    with pytest.raises(TrainingStopped, match=r"Received: another batch_size\. Delete the folder"):
        lungs.fit(LUNGS, tmp_path)


def test_the_step_before_is_named_where_its_run_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("train.__main__.RUNS", tmp_path)
    assert main(["fit", "vgg16-frozen", "--weights", "vgg16-films"]) == 2
    assert "Run `fit vgg16-films` first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("champion", "champion-averaged"),
        ("champion-averaged", "champion-noisy"),
        ("vgg16-onward", "vgg16-weighted"),
    ],
)
def test_the_run_to_go_on_from_is_named_where_none_is_given(model, meant, tmp_path, capsys):
    assert main(["fit", model, "--run", str(tmp_path / "run")]) == 2
    assert f"as `--weights {meant}` does. Received: none" in capsys.readouterr().err


def test_every_recipe_that_goes_on_names_one_that_there_is():
    for recipe in map(load_recipe, recipe_ids()):
        assert (recipe.starting_weights == "network") == (recipe.goes_on_from in recipe_ids())
        assert "goes_on_from" not in recipe.hyperparameters()


@pytest.mark.parametrize("model", ["champion-noisy", "even-sizes"])
def test_missing_masks_are_said_before_any_film_is_read(model, films, monkeypatch, capsys):
    shutil.rmtree(films / "lung_masks")
    monkeypatch.setattr("cases.collections.chest_xray.ChestXrayCollection.load", lambda *_: pytest.fail("read"))
    assert main(["fit", model, "--weights", "none", "--run", str(films / "run")]) == 2
    assert "Expected the lung masks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "goes_on"), [(["fit", "cnn8"], True), (["lungs", "fit"], True), (["shortcuts"], False)]
)
def test_a_checkpoint_is_promised_where_there_is_one(arguments, goes_on, capsys):
    with patch(f"train.__main__._{arguments[0]}", side_effect=KeyboardInterrupt):
        assert main(arguments) == 130
    assert ("last checkpoint" in capsys.readouterr().err) is goes_on


def test_a_collection_without_a_test_split_leaves_the_export_as_it_was(tiny_export, tmp_path, monkeypatch):
    shutil.copytree(tiny_export.folder, tmp_path / "tiny")
    before = sorted(tmp_path.joinpath("tiny").rglob("*"))
    (tmp_path / "films" / "normal").mkdir(parents=True)
    Image.new("L", (40, 40)).save(tmp_path / "films" / "normal" / "film.png")
    monkeypatch.setenv("LUNGLENS_FOLDER", str(tmp_path / "films"))
    with pytest.raises(ExportError, match=r"labelled test images\. Received: folder"):
        evaluate(open_export("tiny", tmp_path), "folder")
    assert sorted(tmp_path.joinpath("tiny").rglob("*")) == before
    with pytest.raises(SystemExit):
        main(["evaluate", "tiny", "--on", "nowhere"])


def test_a_network_that_answers_all_images_alike_gets_a_scale_for_its_empty_maps():
    explanations = [Explanation(0.3, 0.5, np.zeros((2, 2), np.float32))] * 4
    assert heatmap_of("conv", explanations).scale == 1
    shown = [*explanations, *[Explanation(0.3, 0.5, np.full((2, 2), -0.2, np.float32))] * 4]
    assert heatmap_of("conv", shown).scale == pytest.approx(0.2)

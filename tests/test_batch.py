"""Scoring a folder: what is written, what a run keeps of an earlier one, and 10,000 images with a kill in between."""

import dataclasses
import itertools
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import sleep

import cv2
import numpy as np
import pandas as pd
import pytest

from cases.collections import open_collection
from cases.collections.base import CollectionUnavailable
from cases.collections.folder import FolderCollection, folder_id, is_folder_id, remember, remembered
from cases.phantom import PhantomParameters, generate
from cases.settings import scored_root
from model_zoo.batch import BATCH, Progress, read_unreadable, results_of, score
from model_zoo.lungs import gate
from model_zoo.predictions import DOUBTS, read_scores
from model_zoo.registry import Export

ROOT = Path(__file__).resolve().parent.parent
MANY = 10_000


@pytest.fixture(autouse=True)
def scored(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGLENS_SCORED", str(tmp_path / "scored"))


class Brightness:
    """An engine whose probability is the mean gray value, and a gate. Counts the images that it has seen."""

    def __init__(self):
        self.seen = 0

    def input(self, pixels):
        return np.full((1, 1, 1), pixels.mean())

    def scores(self, images):
        self.seen += len(images)
        return images[:, 0, 0, 0] / 255

    @staticmethod
    def doubts(radiograph):
        return (gate.NO_LUNGS, gate.BLANK) if radiograph.pixels.mean() < 3 else ()


class Watched:
    """A lock that knows whether it is held."""

    held = False

    def __enter__(self):
        self.held = True

    def __exit__(self, *_):
        self.held = False


def write(path: Path, gray: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((32, 32), gray, np.uint8))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """70 images: 30 normal, 30 pneumonias, 10 without a label. Their gray value is their number."""
    folder = tmp_path / "films"
    for number in range(70):
        kind = ("normal/", "Pneumonia/", "")[number // 30]
        write(folder / f"{kind}{number:02}.png", number)
    return folder


def run(folder, export, engine=None, batches=None) -> list[Progress]:
    collection = FolderCollection(folder)
    steps = score(collection, engine or Brightness(), Lock(), Brightness.doubts, results_of(collection.id, export))
    return list(itertools.islice(steps, batches))


def rows(folder, export) -> pd.DataFrame:
    return read_scores(results_of(folder_id(folder), export).scores)


def test_every_image_gets_a_row(folder, tiny_export):
    steps = run(folder, tiny_export)
    assert [step.done for step in steps] == [0, 32, 64, 70]
    assert {(step.unreadable, step.total) for step in steps} == {(0, 70)}
    found = rows(folder, tiny_export)
    assert found["image_id"].tolist() == [entry.id for entry in FolderCollection(folder).entries()]
    assert found["patient_id"].tolist() == found["image_id"].tolist()
    gray = found["image_id"].str.extract(r"(\d\d)\.png")[0].astype(int)
    assert np.allclose(found["probability"], gray / 255, rtol=0, atol=1e-12)
    expected = {"normal": 0, "Pneumonia": 1}
    assert [expected.get(Path(i).parent.name, pd.NA) for i in found["image_id"]] == found["label"].tolist()
    assert found["label"].isna().sum() == 10
    assert found[DOUBTS].tolist() == ["no lungs; blank" if number < 3 else "" for number in gray]


def test_images_that_cannot_be_read_are_listed_and_stop_nothing(folder, tiny_export):
    for number in range(BATCH + 3):
        (folder / f"broken{number:02}.png").write_bytes(b"no picture, but\na text")
    last = run(folder, tiny_export)[-1]
    assert last == Progress(70 + BATCH + 3, BATCH + 3, 70 + BATCH + 3)
    unreadable = read_unreadable(results_of(folder_id(folder), tiny_export).unreadable)
    assert [image_id for image_id, _ in unreadable] == [f"broken{number:02}.png" for number in range(BATCH + 3)]
    assert "expected a JPEG" in unreadable[0][1]
    assert len(rows(folder, tiny_export)) == 70

    write(folder / "broken00.png", 7)
    run(folder, tiny_export)
    assert len(read_unreadable(results_of(folder_id(folder), tiny_export).unreadable)) == BATCH + 2
    assert "broken00.png" in set(rows(folder, tiny_export)["image_id"])


def test_the_model_is_locked_for_its_own_work_only(folder, tiny_export):
    lock, engine, collection = Watched(), Brightness(), FolderCollection(folder)
    load, scores = collection.load, engine.scores
    seen = []
    collection.load = lambda image_id: seen.append(("load", lock.held)) or load(image_id)
    engine.scores = lambda images: seen.append(("score", lock.held)) or scores(images)

    def doubts(radiograph):
        seen.append(("look", lock.held))
        return ()

    for _ in score(collection, engine, lock, doubts, results_of(collection.id, tiny_export)):
        assert not lock.held
    assert set(seen) == {("load", False), ("look", False), ("score", True)}


def test_a_run_goes_on_where_another_was_stopped(folder, tiny_export):
    engine = Brightness()
    run(folder, tiny_export, engine, batches=2)
    assert len(rows(folder, tiny_export)) == engine.seen == 32
    assert [step.done for step in run(folder, tiny_export, engine)] == [32, 64, 70]
    assert engine.seen == 70
    assert rows(folder, tiny_export)["image_id"].is_unique
    assert [step.done for step in run(folder, tiny_export, engine)] == [70]
    assert engine.seen == 70


def test_changed_new_and_removed_images_are_brought_into_line(folder, tiny_export):
    run(folder, tiny_export)
    engine = Brightness()
    write(folder / "normal" / "05.png", 200)
    write(folder / "normal" / "new.png", 100)
    (folder / "Pneumonia" / "40.png").unlink()
    (folder / "65.png").rename(folder / "normal" / "65.png")
    os.utime(folder / "66.png", ns=(0, 0))
    run(folder, tiny_export, engine)
    assert engine.seen == 4
    found = rows(folder, tiny_export).set_index("image_id")
    assert set(found.index) == {entry.id for entry in FolderCollection(folder).entries()}
    assert found.loc["normal/05.png", "probability"] == pytest.approx(200 / 255, abs=1e-6)
    assert found.loc["normal/65.png", "label"] == 0


DAMAGE = {
    "a line cut off": lambda lines: [*lines[:-1], lines[-1][:12]],
    "a line without its end": lambda lines: [*lines[:-1], lines[-1].rstrip("\n")],
    "an image twice": lambda lines: [*lines, lines[5]],
    "a probability edited": lambda lines: [*lines[:9], lines[9].replace(",0.", ",7."), *lines[10:]],
    "a probability that is no number": lambda lines: [*lines[:9], lines[9].replace(",0.", ",nan"), *lines[10:]],
    "a label edited": lambda lines: [line.replace(",1,,", ",0,,") for line in lines],
    "a patient edited": lambda lines: [
        *lines[:9],
        lines[9].replace(",", ",other/", 1),
        *lines[10:],
    ],
    "a kind edited": lambda lines: [line.replace(",0,,", ",0,virus,") for line in lines],
    "doubts edited": lambda lines: [line.rstrip("\n") + "strange\n" for line in lines],
    "an unknown image": lambda lines: [*lines, lines[5].replace(".png", ".jpg")],
    "an open quote": lambda lines: [*lines[:5], '"' + lines[5], *lines[6:]],
    "a blank line": lambda lines: [*lines[:5], "\n", *lines[5:]],
    "bytes of another kind": lambda lines: [*lines[:5], "\udcff\0\n", *lines[5:]],
    "nothing left": lambda lines: [],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_rows_are_scored_again(folder, tiny_export, damage):
    run(folder, tiny_export)
    path = results_of(folder_id(folder), tiny_export).scores
    whole = rows(folder, tiny_export)
    lines = path.read_text().splitlines(keepends=True)
    damaged = DAMAGE[damage](lines)
    assert damaged != lines
    path.write_bytes("".join(damaged).encode(errors="surrogateescape"))
    run(folder, tiny_export)
    pd.testing.assert_frame_equal(rows(folder, tiny_export).sort_values("image_id", ignore_index=True), whole)


def test_scores_can_be_read_while_they_are_written(folder, tiny_export):
    run(folder, tiny_export, batches=1)
    assert rows(folder, tiny_export).empty
    run(folder, tiny_export)
    path = results_of(folder_id(folder), tiny_export).scores
    path.write_bytes(path.read_bytes()[:-4])
    assert len(rows(folder, tiny_export)) == 69


def test_another_model_has_rows_of_its_own(folder, tiny_export):
    card = tiny_export.card
    weights = dataclasses.replace(card.weights, sha256="0" * 64)
    others = [dataclasses.replace(card, weights=weights), dataclasses.replace(card, temperature=1.5)]
    exports = [tiny_export, *(Export(tiny_export.folder, other) for other in others)]
    assert len({results_of("folder-1", export).scores for export in exports}) == 3


def test_another_gate_looks_anew(folder, tiny_export, tmp_path, monkeypatch):
    before = results_of("folder-1", tiny_export).scores
    (tmp_path / "gate.json").write_text("{}")
    monkeypatch.setattr(gate, "GATE_CARD", tmp_path / "gate.json")
    assert results_of("folder-1", tiny_export).scores != before


def test_a_real_model_says_the_same_as_on_its_own(folder, tiny_export):
    from model_zoo.engine import Engine

    engine, collection = Engine(tiny_export), FolderCollection(folder)
    run(folder, tiny_export, engine)
    pixels = [collection.load(entry.id).pixels for entry in collection.entries()]
    assert np.allclose(rows(folder, tiny_export)["probability"], list(engine.probabilities(pixels)), atol=2e-6)


def test_a_folder_is_opened_by_its_id_once_it_is_remembered(folder, tmp_path):
    name = folder_id(folder)
    assert is_folder_id(name)
    assert folder_id(folder / "normal" / "..") == name
    with pytest.raises(CollectionUnavailable, match=name):
        open_collection(name)
    remember(folder)
    assert remembered() == {name: folder}
    found = open_collection(name)
    assert (found.id, found.title, found.root) == (name, "Folder films", folder)
    null, half, brackets = '{"path": "a\\u0000"}', '{"path": "\\ud800"}', "[" * 100_000
    for record in ("", "[]", '{"path": 3}', '{"path": "/elsewhere"}', null, half, brackets):
        (scored_root() / name / "folder.json").write_text(record)
        assert remembered() == {}
    remember(folder)
    folder.rename(tmp_path / "moved")
    with pytest.raises(CollectionUnavailable, match="which is not there"):
        open_collection(name)
    for stranger in ("folder-../../secret", "folder-", "folder-123456789abg"):
        with pytest.raises(KeyError):
            open_collection(stranger)


def test_a_folder_that_is_remembered_is_not_written_down_again(folder, monkeypatch):
    def on_a_full_disk(path, *_, **__):
        path.open("w").close()
        raise OSError(28, "No space left on device")

    remember(folder)
    monkeypatch.setattr(Path, "write_text", on_a_full_disk)
    with suppress(OSError):
        remember(folder)
    assert remembered() == {folder_id(folder): folder}


@pytest.fixture(scope="session")
def many(tmp_path_factory) -> Path:
    """MANY small images: 10 phantoms, over and over."""
    folder = tmp_path_factory.mktemp("many")
    phantoms = [generate(PhantomParameters(seed, ("none", "lobar")[seed % 2], size=128)).pixels for seed in range(10)]
    encoded = [cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes() for pixels in phantoms]
    for kind in ("normal", "pneumonia"):
        (folder / kind).mkdir()
    for number in range(MANY):
        (folder / ("normal", "pneumonia")[number % 2] / f"{number:05}.png").write_bytes(encoded[number % 10])
    return folder


def scoring(many: Path, export: Export, scored: Path) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "tests" / "tiny_scoring.py"), str(export.folder), str(many)]
    environment = os.environ | {"LUNGLENS_SCORED": str(scored)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module and SIGKILL")
def test_ten_thousand_images_with_a_kill_and_a_cancel(many, tiny_export, tmp_path, monkeypatch):
    from model_zoo.engine import Engine

    with scoring(many, tiny_export, tmp_path / "whole") as whole:
        printed = whole.communicate()[0]
    early, late = (float(line) for line in printed.split())
    # Nine thousand of these images are 150 MB as pixels; their names and stamps are a few.
    assert late - early < 30

    monkeypatch.setenv("LUNGLENS_SCORED", str(tmp_path / "interrupted"))
    path = results_of(folder_id(many), tiny_export).scores
    with scoring(many, tiny_export, tmp_path / "interrupted") as interrupted:
        while interrupted.poll() is None and not (path.exists() and path.stat().st_size > 100_000):
            sleep(0.02)
        interrupted.kill()
    killed = len(read_scores(path))
    assert 1000 < killed < MANY
    engine = Engine(tiny_export)
    cancelled = run(many, tiny_export, engine, batches=50)[-1].done
    assert cancelled == killed + 49 * BATCH < MANY
    run(many, tiny_export, engine)

    interrupted_rows = rows(many, tiny_export)
    monkeypatch.setenv("LUNGLENS_SCORED", str(tmp_path / "whole"))
    whole_rows = rows(many, tiny_export)
    assert len(whole_rows) == MANY
    pd.testing.assert_frame_equal(interrupted_rows, whole_rows, rtol=0, atol=2e-6)

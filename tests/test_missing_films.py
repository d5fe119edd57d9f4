"""Measures on test films whose lungs are known: none is computed, nor written, while films or masks are missing."""

import dataclasses
import shutil

import cv2
import pandas as pd
import pytest

from cases.collections.base import CollectionUnavailable
from cases.phantom import PhantomParameters, generate
from model_zoo import audit, looking, shortcuts
from model_zoo.lungs.card import EXPORT
from model_zoo.lungs.rows import COLUMNS as LUNG_COLUMNS
from model_zoo.lungs.rows import rows_path
from model_zoo.predictions import COLUMNS, write_predictions
from train.audit import audit_gradcam
from train.audit_methods import audit_methods
from train.export import evaluate
from train.lungs.data import evaluated_images, masked_test_films
from train.lungs.export import evaluate as evaluate_lungs
from train.lungs.gate import measure as measure_gate
from train.shortcuts import measure

NAME = "chest_xray-test"
IDS = [f"test/{label}/person{n}_virus_{n}.png" for label in ("NORMAL", "PNEUMONIA") for n in range(3)]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with six test films and a mask of each."""
    for seed, image_id in enumerate(IDS):
        film = generate(PhantomParameters(seed))
        for folder, pixels in (("chest_xray", film.pixels), ("lung_masks", 255 * (film.lung_fields > 0))):
            path = tmp_path / folder / image_id
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def evaluated(tiny_export, tmp_path):
    """The tiny export, evaluated on these films, in a folder of its own."""
    export = dataclasses.replace(tiny_export, folder=shutil.copytree(tiny_export.folder, tmp_path / "tiny"))
    rows = [(image_id, image_id, int("PNEUMONIA" in image_id), "", 0.5) for image_id in IDS]
    write_predictions(pd.DataFrame(rows, columns=list(COLUMNS)), export.predictions_path(NAME))
    return export


MEASURES = {
    "looking": (looking, lambda export: audit_gradcam(export, NAME)),
    "methods": (audit, lambda export: audit_methods(export, NAME, ("gradcam",), 2)),
    "shortcuts": (shortcuts, lambda export: measure([export], NAME)),
}


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ("chest_xray/test/PNEUMONIA", r"the 6 images .* Received: 3 of them missing"),
        ("chest_xray/test/NORMAL/person0_virus_0.png", r"the 6 images .* Received: 1 of them missing"),
        ("lung_masks/test/PNEUMONIA/person1_virus_1.png", r"a lung mask of each .* Received: 6 films, 5 of them"),
        ("lung_masks/test", r"a lung mask of each .* Received: 6 films, 0 of them"),
    ],
)
def test_stored_rows_stay_while_films_or_masks_are_missing(name, lost, expected, data, evaluated, monkeypatch):
    rows, again = MEASURES[name]
    path = rows.rows_path(evaluated, NAME)
    path.parent.mkdir(exist_ok=True)
    path.write_text("rows of before")
    monkeypatch.setattr("model_zoo.engine.Engine.__init__", lambda *_: pytest.fail("began to compute"))
    lost = data / lost
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    with pytest.raises(CollectionUnavailable, match=expected):
        again(evaluated)
    assert path.read_text() == "rows of before"


@pytest.mark.parametrize("name", MEASURES)
def test_with_all_of_them_it_is_measured(name, data, evaluated):
    rows, again = MEASURES[name]
    again(evaluated)
    assert set(pd.read_csv(rows.rows_path(evaluated, NAME))["image_id"]) <= set(IDS)


def test_without_a_film_nothing_is_written(data, tiny_export):
    for folder in ("NORMAL", "PNEUMONIA"):
        shutil.rmtree(data / "chest_xray" / "test" / folder)
    (data / "chest_xray" / "train" / "NORMAL").mkdir(parents=True)
    with pytest.raises(CollectionUnavailable, match=r"a lung mask of each .* Received: 0 films"):
        audit_gradcam(tiny_export, NAME)
    assert not looking.rows_path(tiny_export, NAME).exists()


def test_the_lung_network_s_rows_stay_too(data, tmp_path):
    path = rows_path(NAME, tmp_path / "lungs")
    path.parent.mkdir(parents=True)
    rows = pd.DataFrame([(image_id, image_id, 0.5, 1.0, 1) for image_id in IDS], columns=list(LUNG_COLUMNS))
    rows.to_csv(path, index=False)
    before = path.read_bytes()
    (data / "chest_xray" / IDS[0]).unlink()
    with pytest.raises(CollectionUnavailable, match=r"the 6 images .* Received: 1 of them missing"):
        evaluate_lungs(tmp_path / "lungs", "chest_xray")
    assert path.read_bytes() == before


def test_an_evaluation_of_fewer_films_does_not_take_the_rows_place(data, evaluated):
    path = evaluated.predictions_path(NAME)
    before = path.read_bytes()
    (data / "chest_xray" / IDS[0]).rename(data / "film.png")
    with pytest.raises(CollectionUnavailable, match=rf"the 6 images .*: 1 of them missing, {IDS[0]} among"):
        evaluate(evaluated, "chest_xray")
    assert path.read_bytes() == before
    (data / "film.png").rename(data / "chest_xray" / IDS[0])
    evaluate(evaluated, "chest_xray")
    assert list(evaluated.predictions(NAME)["image_id"]) == IDS
    path.write_text("damaged")
    evaluate(evaluated, "chest_xray")
    assert list(evaluated.predictions(NAME)["image_id"]) == IDS


def test_the_gate_s_rows_stay_while_films_are_missing(data, tmp_path):
    shutil.copytree(EXPORT, tmp_path / "lungs")
    path = tmp_path / "lungs" / "gate" / f"{NAME}.csv"
    before = path.read_bytes()
    with pytest.raises(CollectionUnavailable, match=r"the 624 images of chest_xray.*Received: 624 of them missing"):
        measure_gate(["chest_xray"], tmp_path / "lungs")
    assert path.read_bytes() == before


def test_images_are_those_of_all_exports_and_of_none_without_rows(evaluated, tiny_export):
    assert evaluated_images([tiny_export, evaluated], NAME) == set(IDS)
    assert evaluated_images([tiny_export], NAME) == set()


def test_phantoms_bring_their_own(phantoms):
    assert masked_test_films(phantoms, {"test/of-another-machine"}) == phantoms.entries("test")

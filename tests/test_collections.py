"""Collections: the contract for all in the registry, then each one's reading of its folder."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from cases.collections import COLLECTIONS, available_collections, films_of, open_collection
from cases.collections.base import CollectionUnavailable, Entry
from cases.collections.chest_xray import ChestXrayCollection
from cases.collections.folder import FolderCollection
from cases.collections.medmnist import MedmnistCollection, file_name
from cases.radiograph import Radiograph, RadiographError
from cases.settings import models_in_memory, user_folder

# (split, label, file name) to (subtype, patient), as the Kermany set names its files.
NAMES = {
    ("test", "NORMAL", "IM-0001-0001.jpeg"): (None, "test/IM-0001"),
    ("test", "NORMAL", "IM-0011-0001-0002.jpeg"): (None, "test/IM-0011"),
    ("train", "NORMAL", "NORMAL2-IM-0383-0001.jpeg"): (None, "train/NORMAL2-IM-0383"),
    ("train", "NORMAL", "NORMAL2-IM-0395-0001-0001.jpeg"): (None, "train/NORMAL2-IM-0395"),
    ("train", "PNEUMONIA", "person1000_bacteria_2931.jpeg"): ("bacteria", "train/person1000"),
    ("train", "PNEUMONIA", "person447_virus_921_1.jpeg"): ("virus", "train/person447"),
    ("val", "PNEUMONIA", "person1946_bacteria_4874.jpeg"): ("bacteria", "val/person1946"),
    ("train", "NORMAL", "NORMAL-1003233-0001.jpeg"): (None, "train/NORMAL-1003233"),
    ("train", "PNEUMONIA", "BACTERIA-1008087-0001.jpeg"): ("bacteria", "train/BACTERIA-1008087"),
    ("test", "PNEUMONIA", "BACTERIA-1351146-0002.jpeg"): ("bacteria", "test/BACTERIA-1351146"),
    ("train", "PNEUMONIA", "VIRUS-1009494-0001.jpeg"): ("virus", "train/VIRUS-1009494"),
    ("val", "NORMAL", "NORMAL.png"): (None, None),
    ("val", "PNEUMONIA", "VIRUS-7.png"): (None, None),
    ("val", "NORMAL", "scan 7.png"): (None, None),
}


def write_film(path, side=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.tile(np.arange(side, dtype=np.uint8), (side, 1))).save(path)


@pytest.fixture
def kaggle(tmp_path):
    root = tmp_path / "chest_xray"
    for split, label, name in NAMES:
        write_film(root / split / label / name)
    for litter in ("manifest.csv", "train/.DS_Store", "train/NORMAL/.DS_Store", "train/NORMAL/._IM-0001-0001.jpeg"):
        (root / litter).write_bytes(b"litter")
    write_film(root / "__MACOSX" / "train" / "NORMAL" / "IM-0002-0001.jpeg")
    return root


def medmnist_arrays(side=28):
    """Random images, 3, 2 and 4, under the names and types of MedMNIST's files; normals and pneumonias in turn."""
    rng = np.random.default_rng(side)
    arrays = {}
    for split, count in (("train", 3), ("val", 2), ("test", 4)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, side, side), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count, dtype=np.uint8)[:, np.newaxis] % 2
    return arrays


def write_medmnist(root, side=28, **changes):
    root.mkdir(exist_ok=True)
    np.savez_compressed(root / file_name(side), **{**medmnist_arrays(side), **changes})
    return root


@pytest.fixture
def everything_available(kaggle, monkeypatch):
    write_medmnist(kaggle.parent / "medmnist")
    monkeypatch.setenv("LUNGLENS_DATA", str(kaggle.parent))
    monkeypatch.setenv("LUNGLENS_FOLDER", str(kaggle))


@pytest.mark.parametrize("collection_id", COLLECTIONS)
def test_every_collection_keeps_the_contract(collection_id, everything_available):
    collection = open_collection(collection_id)
    assert collection.id == collection_id
    assert collection.title
    entries = collection.entries()
    assert entries
    assert entries == open_collection(collection_id).entries()
    assert len({entry.id for entry in entries}) == len(entries)
    for entry in entries:
        assert isinstance(entry, Entry)
        assert entry.label in (0, 1, None)
    for split in {entry.split for entry in entries} - {None}:
        assert collection.entries(split) == tuple(entry for entry in entries if entry.split == split)
    assert collection.entries("no such split") == ()
    radiograph = collection.load(entries[0].id)
    assert isinstance(radiograph, Radiograph)
    assert radiograph.synthetic == collection.synthetic
    assert np.array_equal(radiograph.pixels, collection.load(entries[0].id).pixels)
    for unknown in ("no such image", "../secret.png", "", "/etc/hostname"):
        with pytest.raises(KeyError):
            collection.load(unknown)


def test_registry_names_what_there_is(everything_available):
    assert list(available_collections()) == list(COLLECTIONS)
    with pytest.raises(KeyError, match=r"phantom, chest_xray, medmnist, folder.* received 'mri'"):
        open_collection("mri")


def test_without_data_the_phantoms_remain_and_the_rest_says_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path))
    monkeypatch.delenv("LUNGLENS_FOLDER", raising=False)
    assert list(available_collections()) == ["phantom"]
    with pytest.raises(CollectionUnavailable, match=r"LUNGLENS_DATA") as refusal:
        open_collection("chest_xray")
    assert "train|val|test/NORMAL|PNEUMONIA" in str(refusal.value)
    with pytest.raises(CollectionUnavailable, match=r"download medmnist.*pneumoniamnist_224.npz.*LUNGLENS_DATA"):
        open_collection("medmnist")
    with pytest.raises(CollectionUnavailable, match=r"LUNGLENS_FOLDER.* not set"):
        open_collection("folder")


# The Kermany set -----------------------------------------------------------------------------------------------------


def test_chest_xray_reads_label_subtype_and_patient(kaggle):
    entries = {entry.id: entry for entry in ChestXrayCollection(kaggle).entries()}
    assert len(entries) == len(NAMES)
    for (split, label, name), (subtype, patient) in NAMES.items():
        image_id = f"{split}/{label}/{name}"
        assert entries[image_id] == Entry(image_id, int(label == "PNEUMONIA"), subtype, patient, split)


def test_chest_xray_is_found_one_level_down(kaggle, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    kaggle.rename(outer / "chest_xray")
    assert len(ChestXrayCollection(outer).entries()) == len(NAMES)


def test_chest_xray_needs_not_all_splits(tmp_path):
    write_film(tmp_path / "test" / "NORMAL" / "IM-0001-0001.jpeg")
    collection = ChestXrayCollection(tmp_path)
    assert [entry.split for entry in collection.entries()] == ["test"]
    assert collection.entries("train") == ()


def test_chest_xray_lists_once(kaggle):
    collection = ChestXrayCollection(kaggle)
    before = collection.entries()
    write_film(kaggle / "test" / "NORMAL" / "IM-9999-0001.jpeg")
    assert collection.entries() == before


# PneumoniaMNIST ------------------------------------------------------------------------------------------------------


def test_medmnist_reads_labels_and_images_of_all_splits(tmp_path):
    collection = MedmnistCollection(write_medmnist(tmp_path))
    assert collection.entries("test") == tuple(Entry(f"test/000{i}", i % 2, None, None, "test") for i in range(4))
    assert [len(collection.entries(split)) for split in ("train", "val", "test")] == [3, 2, 4]
    arrays = medmnist_arrays()
    for image_id, images, place in (("test/0003", "test_images", 3), ("train/0000", "train_images", 0)):
        radiograph = collection.load(image_id)
        assert np.array_equal(radiograph.pixels, arrays[images][place])
        assert "28 by 28 pixels" in radiograph.notes[0]


def test_medmnist_uses_the_largest_file(tmp_path):
    for side in (64, 28):
        write_medmnist(tmp_path, side)
    assert MedmnistCollection(tmp_path).load("val/0001").pixels.shape == (64, 64)


def test_medmnist_takes_labels_without_a_second_axis(tmp_path):
    write_medmnist(tmp_path, val_labels=np.array([1, 0]))
    assert [entry.label for entry in MedmnistCollection(tmp_path).entries("val")] == [1, 0]


def test_medmnist_reads_a_split_once(tmp_path):
    collection = MedmnistCollection(write_medmnist(tmp_path))
    collection.load("train/0001")
    (tmp_path / file_name(28)).unlink()
    collection.load("train/0002")
    with pytest.raises(RadiographError, match=r"pneumoniamnist.npz: .*No such file"):
        collection.load("test/0000")


def test_a_kept_medmnist_film_does_not_keep_its_split(tmp_path):
    pixels = MedmnistCollection(write_medmnist(tmp_path)).load("train/0001").pixels
    while pixels.base is not None:
        pixels = pixels.base
    assert pixels.nbytes == 28 * 28


@pytest.mark.parametrize(
    ("damage", "received"),
    [
        (lambda data: data[: len(data) // 2], "not a zip file"),
        (lambda data: b"", "not a zip file"),
        (lambda data: b"<html>not found</html>", "not a zip file"),
        (lambda data: data.replace(b"train_labels", b"other_labels"), "train_labels.npy"),
        (lambda data: re.sub(rb"(?s)(PK\x01\x02.{6})\x08\x00", b"\\1\x63\x00", data), "compression method"),
    ],
)
def test_a_damaged_medmnist_file_is_named_with_the_way_out(tmp_path, damage, received):
    path = write_medmnist(tmp_path) / file_name(28)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CollectionUnavailable, match=f"pneumoniamnist.npz: .*{received}.*download medmnist"):
        MedmnistCollection(tmp_path)


@pytest.mark.parametrize(
    "labels",
    [
        *(np.array([0, 2, 1]), np.array(["a", "b", "c"]), np.eye(3), np.array(1), np.array([object()] * 3)),
        np.zeros(3, [("label", int)]),
    ],
)
def test_medmnist_labels_of_another_kind_are_refused(tmp_path, labels):
    with pytest.raises(CollectionUnavailable, match=r"pneumoniamnist.npz: .*train_labels"):
        MedmnistCollection(write_medmnist(tmp_path, train_labels=labels))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 28, 28, 3), np.uint8),
        np.zeros((3, 28, 28), np.uint8),
        np.zeros((4, 28, 28), np.float32),
        np.zeros((4, 0, 28), np.uint8),
        np.array([object()] * 4),
    ],
)
def test_medmnist_images_of_another_kind_are_refused_and_other_splits_still_load(tmp_path, images):
    collection = MedmnistCollection(write_medmnist(tmp_path, test_images=images))
    with pytest.raises(RadiographError, match=r"pneumoniamnist.npz: expected .*test_images"):
        collection.load("test/0001")
    assert collection.load("train/0001").pixels.shape == (28, 28)


# Any folder ----------------------------------------------------------------------------------------------------------


def test_folder_finds_images_and_labels(tmp_path):
    for name in ("b.png", "a.JPG", "Normal/1.png", "x/PNEUMONIA/deep/2.bmp", "normal/pneumonia/3.png", "other/4.tif"):
        write_film(tmp_path / name)
    dicom = Path(get_testdata_file("MR_small.dcm", download=False)).read_bytes()
    for name in ("5.dcm", "IMG0001", "1.2.840.10008.77"):
        (tmp_path / name).write_bytes(dicom)
    (tmp_path / "notes").write_bytes(b"not DICOM")
    (tmp_path / "notes.txt").write_bytes(dicom)
    for hidden in (".hidden.png", ".cache/6.png", "__MACOSX/7.png"):
        write_film(tmp_path / hidden)
    collection = FolderCollection(tmp_path)
    found = {entry.id: entry.label for entry in collection.entries()}
    assert found == {
        "1.2.840.10008.77": None, "5.dcm": None, "IMG0001": None, "Normal/1.png": 0, "a.JPG": None, "b.png": None,
        "normal/pneumonia/3.png": 1, "other/4.tif": None, "x/PNEUMONIA/deep/2.bmp": 1,
    }  # fmt: skip
    assert list(found) == sorted(found)
    for image_id in found:
        assert collection.load(image_id).source == image_id


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege on Windows")
def test_folder_does_not_follow_links_out_of_it(tmp_path):
    write_film(tmp_path / "outside" / "secret.png")
    write_film(tmp_path / "folder" / "film.png")
    folder = tmp_path / "folder"
    (folder / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    (folder / "broken.png").symlink_to(folder / "nothing.png")
    (folder / "inside.png").symlink_to(folder / "film.png")
    os.mkfifo(folder / "pipe.png")
    assert [entry.id for entry in FolderCollection(folder).entries()] == ["film.png", "inside.png"]


def test_folder_names_the_file_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    write_film(tmp_path / "gone.png")
    collection = FolderCollection(tmp_path)
    assert len(collection.entries()) == 2
    (tmp_path / "gone.png").unlink()
    for name in ("broken.png", "gone.png"):
        with pytest.raises(RadiographError, match=name):
            collection.load(name)


def test_a_collection_of_copies_names_what_it_has_copies_of():
    assert films_of("medmnist") == films_of("chest_xray") == "chest_xray"
    assert [films_of(other) for other in ("phantom", "folder-abc", None)] == ["phantom", "folder-abc", None]


def test_folder_lists_thousands(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number:04}.png").touch()
    assert len(FolderCollection(tmp_path).entries()) == 3000


def test_folder_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGLENS_FOLDER", str(tmp_path))
    assert user_folder() == tmp_path
    assert FolderCollection().root == tmp_path
    monkeypatch.setenv("LUNGLENS_FOLDER", "")
    assert user_folder() is None
    with pytest.raises(CollectionUnavailable, match="nothing, which is not there"):
        FolderCollection(tmp_path / "nothing")


def test_a_path_that_nobody_may_look_at_is_no_image_and_no_end(tmp_path, monkeypatch):
    write_film(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    looked = Path.is_file

    def refuse(path):
        if path.name == "b.png":
            raise PermissionError(13, "Permission denied")
        return looked(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert [entry.id for entry in FolderCollection(tmp_path).entries()] == ["a.png"]


@pytest.mark.parametrize(("wanted", "kept"), [("", 3), ("1", 1), ("15", 15)])
def test_setting_of_models_in_memory(wanted, kept, monkeypatch):
    monkeypatch.setenv("LUNGLENS_MODELS", wanted)
    assert models_in_memory() == kept


@pytest.mark.parametrize("wanted", ["0", "-1", "2.5", "all"])
def test_a_setting_that_is_no_number_of_models_is_refused(wanted, monkeypatch):
    monkeypatch.setenv("LUNGLENS_MODELS", wanted)
    with pytest.raises(ValueError, match=f"whole number of 1 or more in LUNGLENS_MODELS. Received: '{wanted}'"):
        models_in_memory()

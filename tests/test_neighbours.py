"""Nearest training images: features against the network's own layer, the file that keeps them, the ranking."""

from dataclasses import replace
from threading import Lock

import numpy as np
import pytest

from cases.collections.base import Entry
from cases.radiograph import RadiographError
from model_zoo import neighbours
from model_zoo.engine import Engine
from model_zoo.neighbours import Features, features_path, gather, nearest, read_features, training_entries


@pytest.fixture(scope="module")
def engine(tiny_export):
    return Engine(tiny_export)


@pytest.fixture
def some(phantoms, monkeypatch):
    """The phantoms, read in batches of four, and ten of their training entries."""
    monkeypatch.setattr(neighbours, "BATCH", 4)
    return phantoms, phantoms.entries("train")[:10]


class Counting:
    """A collection that counts what is loaded, and cannot read some images."""

    def __init__(self, collection, unreadable=()):
        self.collection, self.unreadable, self.loaded = collection, unreadable, []

    def load(self, image_id):
        self.loaded.append(image_id)
        if image_id in self.unreadable:
            raise RadiographError("expected an image. Received: none.")
        return self.collection.load(image_id)


def test_features_are_the_means_of_the_layer(engine, noise_images):
    import keras

    layer = keras.Model(engine.model.input, engine.model.get_layer("last_conv").output)
    expected = layer(noise_images.astype(np.float32)).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(engine.features(noise_images), expected, rtol=1e-4, atol=1e-5)


def test_what_was_gathered_is_what_the_engine_says(engine, some, tmp_path):
    phantoms, entries = some
    path = tmp_path / "new" / "features.npz"
    progress = list(gather(phantoms, entries, engine, Lock(), path))
    assert [step.done for step in progress] == [0, 4, 8, 10]
    stored = read_features(path)
    assert stored.image_ids == tuple(entry.id for entry in entries)
    for image_id, row in zip(stored.image_ids, stored.values, strict=True):
        image = engine.input(phantoms.load(image_id).pixels)
        np.testing.assert_allclose(row, engine.features(image[np.newaxis])[0], rtol=1e-4, atol=1e-5)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_stopped_run_goes_on_where_it_was(engine, some, tmp_path):
    phantoms, entries = some
    path = tmp_path / "features.npz"
    counting = Counting(phantoms)
    run = gather(counting, entries, engine, Lock(), path)
    for step in run:
        if step.done == 4:
            break
    run.close()
    assert len(read_features(path).image_ids) == 4
    assert [step.done for step in gather(counting, entries, engine, Lock(), path)] == [4, 8, 10]
    assert counting.loaded == [entry.id for entry in entries]
    assert list(gather(counting, entries, engine, Lock(), path))[-1].done == 10
    assert len(counting.loaded) == 10


def test_a_killed_run_has_what_was_saved_by_then(engine, some, tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "SAVE_EVERY", 1)
    phantoms, entries = some
    path = tmp_path / "features.npz"
    run = gather(phantoms, entries, engine, Lock(), path)
    while next(run).done < 8:
        pass
    assert len(read_features(path).image_ids) == 8


def test_an_unreadable_image_is_told_and_is_nobodys_neighbour(engine, some, tmp_path):
    phantoms, entries = some
    path = tmp_path / "features.npz"
    last = list(gather(Counting(phantoms, {entries[2].id}), entries, engine, Lock(), path))[-1]
    assert (last.done, last.unreadable) == (10, 1)
    stored = read_features(path)
    found = nearest(stored, stored.values[0], {entry.id for entry in entries}, count=20)
    assert len(found) == 9
    assert entries[2].id not in {neighbour.image_id for neighbour in found}


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other arrays", "lengths"])
def test_a_damaged_file_is_computed_again(engine, some, tmp_path, damage):
    phantoms, entries = some
    path = tmp_path / "features.npz"
    list(gather(phantoms, entries, engine, Lock(), path))
    whole = path.read_bytes()
    if damage == "other arrays":
        np.savez(path, something=np.zeros(3))
    elif damage == "lengths":
        np.savez(path, image_ids=np.array(["a"]), features=np.zeros((2, 3)))
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"features"}[damage])
    assert read_features(path).image_ids == ()
    progress = list(gather(phantoms, entries, engine, Lock(), path))
    assert progress[0].done == 0
    assert read_features(path).image_ids == tuple(entry.id for entry in entries)


def test_nearest_by_brute_force():
    rng = np.random.default_rng(0)
    values, query = rng.normal(size=(40, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32)
    features = Features(tuple(f"i{i}" for i in range(40)), values)
    among = {f"i{i}" for i in range(0, 40, 2)}
    cosine = {f"i{i}": v @ query / np.linalg.norm(v) / np.linalg.norm(query) for i, v in enumerate(values)}
    expected = sorted(among, key=lambda image_id: -cosine[image_id])[:5]
    found = nearest(features, query, among)
    assert [neighbour.image_id for neighbour in found] == expected
    assert [n.similarity for n in found] == pytest.approx([cosine[image_id] for image_id in expected], abs=1e-6)
    assert nearest(features, query, set()) == []


def test_training_entries_leave_out_what_was_not_learnt_from():
    def entry(image_id, label, split):
        return Entry(image_id, label, None, None, split)

    entries = [entry("a", 0, "train"), entry("b", 1, "test"), entry("c", None, "train"), entry("d", 1, "val")]
    entries.append(entry("e", 1, "train"))
    assert [e.id for e in training_entries(entries, {"e"})] == ["a", "d"]


def test_other_weights_or_another_layer_have_another_file(tiny_export, monkeypatch, tmp_path):
    monkeypatch.setenv("LUNGLENS_CACHE", str(tmp_path))
    card = tiny_export.card
    other_weights = replace(card, weights=replace(card.weights, sha256="0" * 64))
    other_layer = replace(card, heatmap=replace(card.heatmap, layer="conv2d"))
    paths = {features_path(replace(tiny_export, card=made)) for made in (card, other_weights, other_layer)}
    assert len(paths) == 3
    assert {path.parent.parent for path in paths} == {tmp_path}

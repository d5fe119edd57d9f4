"""Fixtures that several test modules share."""

import gc
from functools import cache

import numpy as np
import pandas as pd
import pytest

from cases.collections import open_collection, phantom
from cases.collections.base import Collection
from model_zoo.card import Card, Committee, Data, Heatmap, Threshold, Training, Weights, write_card
from model_zoo.predictions import COLUMNS, write_predictions
from model_zoo.registry import Export, open_export, sha256_of


@pytest.fixture(scope="module", autouse=True)
def little_to_collect():
    """Streamlit collects garbage after each run of a page. Among the half million objects of the imported libraries
    that takes longer than the page; frozen ones are passed over."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_data_on_this_machine(monkeypatch, tmp_path_factory):
    """Tests see the same machine everywhere: one without data sets."""
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path_factory.getbasetemp() / "no-data"))
    monkeypatch.delenv("LUNGLENS_FOLDER", raising=False)


def make_card(folder, **changes) -> Card:
    """A complete card for the model file in folder; changes replace fields."""
    path = folder / "model.keras"
    fields = {
        "id": folder.name,
        "title": "Tiny",
        "summary": "A network for tests.",
        "architecture": "two convolutions",
        "side": 32,
        "channels": 1,
        "heatmap": Heatmap("last_conv", 0.5, "chosen for the test"),
        "temperature": 2.0,
        "threshold": Threshold(0.4, "chosen for the test", "phantom-validation"),
        "weights": Weights(
            started_from="random initialisation",
            sha256=sha256_of(path) if path.exists() else "",
            bytes=path.stat().st_size if path.exists() else 0,
            parameters=100,
            mantissa_bits=23,
            auroc_shift=0.0,
        ),
        "data": Data("phantom", "patients split", "generated", {}),
        "recipe": {"seed": 0},
        "training": Training("none", 0.0, 0, {}),
        "limits": ("Knows nothing.",),
    }
    return Card(**{**fields, **changes})


def reference_gradcams(engine, images) -> dict[str, np.ndarray]:
    """tf-keras-vis's Grad-CAM (n, rows, columns) at the heatmap layer for each direction, not normalised. Both at once,
    because a call of it rebuilds the network."""
    from tf_keras_vis.gradcam import Gradcam

    signs = np.repeat(np.array([1, -1], np.float32), len(images))
    maps = Gradcam(engine.model)(
        lambda logits: logits[:, 0] * signs,
        np.concatenate([images, images]).astype(np.float32),
        penultimate_layer=engine.export.card.heatmap.layer,
        # It would go back to the last convolution from an activation that follows it.
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    return dict(zip(("pneumonia", "normal"), np.split(np.asarray(maps), 2), strict=True))


@pytest.fixture(scope="session")
def tiny_export(tmp_path_factory) -> Export:
    """An untrained but complete export, saved and to be loaded as users' exports are."""
    folder = tmp_path_factory.mktemp("exports") / "tiny"
    save_network(folder)
    card = make_card(folder)
    write_card(card, folder / "card.json")
    write_predictions(
        pd.DataFrame([("test/a", "a", 1, "lobar", 0.75)], columns=list(COLUMNS)),
        folder / "predictions" / "phantom-test.csv",
    )
    return Export(folder, card)


def save_network(folder, side: int = 32, channels: int = 1, seed: int = 5) -> None:
    """An untrained network as a new folder's model.keras. Its heatmap has half of side."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((side, side, channels))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="last_conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(5, activation="tanh")(x)
    network = keras.Model(inputs, layers.Dense(1)(x))
    folder.mkdir(parents=True)
    network.save(folder / "model.keras")


# Of the tiny committee: (side, channels, temperature, scale of the heatmap, threshold) of each member.
MEMBERS = {"one": (32, 1, 2.0, 0.5, 0.4), "two": (32, 1, 0.5, 0.02, 0.6), "three": (24, 3, 1.0, 0.1, 0.5)}


@pytest.fixture(scope="session")
def tiny_committee(tmp_path_factory) -> Export:
    """A committee of three untrained networks, opened from its folder as users' are. All have rows of twenty phantoms
    each as test and validation images, and the same figures in them."""
    root = tmp_path_factory.mktemp("committee")
    rows = pd.DataFrame(
        [(f"test/{i:04}-{'lobar' if i % 2 else 'none'}", f"p{i}", i % 2, "", 0.2 + i / 40) for i in range(20)],
        columns=list(COLUMNS),
    )
    made = []
    for seed, (member_id, (side, channels, temperature, scale, threshold)) in enumerate(MEMBERS.items()):
        folder = root / member_id
        save_network(folder, side, channels, seed)
        made.append(
            make_card(
                folder,
                title=f"Tiny {member_id}",
                side=side,
                channels=channels,
                temperature=temperature,
                heatmap=Heatmap("last_conv", scale, "chosen for the test"),
                threshold=Threshold(threshold, "chosen for the test", "phantom-validation"),
            )
        )
    members = {card.id: card.weights.sha256 for card in made}
    made.append(committee_card(root / "together", members))
    for card in made:
        write_predictions(rows, root / card.id / "predictions" / "phantom-test.csv")
        validation = rows.assign(image_id="val" + rows["image_id"].str.removeprefix("test"))
        write_predictions(validation, root / card.id / "predictions" / "phantom-validation.csv")
        write_card(card, root / card.id / "card.json")
    return open_export("together", root)


def committee_card(folder, members: dict, **changes) -> Card:
    fields = {
        "title": "Together",
        "side": None,
        "channels": None,
        "weights": None,
        "heatmap": Heatmap(None, 0.8, "chosen for the test"),
        "temperature": 1.5,
        "committee": Committee(members, 0.25),
        "limits": ("Knows nothing.", "Takes as long as all of its members together."),
    }
    return make_card(folder, **{**fields, **changes})


@pytest.fixture(scope="session", autouse=True)
def phantoms_are_drawn_once():
    """Drawing takes longer than what most tests do with a phantom, and nobody can change one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "generate", cache(phantom.generate))
        yield


@pytest.fixture(scope="session")
def phantoms() -> Collection:
    return open_collection("phantom")


@pytest.fixture
def noise_images() -> np.ndarray:
    """Eight uint8 images (32, 32, 1)."""
    return np.random.default_rng(1).integers(0, 256, (8, 32, 32, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def few_phantoms():
    """The phantom collection, small enough to train on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "SIZES", {"train": 24, "val": 8, "test": 6})
        yield

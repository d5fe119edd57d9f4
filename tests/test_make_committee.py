"""Making a committee of exports: what is chosen on which images, and the members that cannot sit together."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
import tiny_training
from conftest import make_card, save_network

from cases.collections import COLLECTIONS
from model_zoo import evaluation
from model_zoo.card import CardError, Data, Heatmap, Threshold, read_card, write_card
from model_zoo.committee import open_engine
from model_zoo.predictions import PredictionsError, write_predictions
from model_zoo.registry import ExportError, open_export
from train import __main__ as command
from train.committee import make_committee
from train.export import HEATMAP_PERCENTILE, evaluate, prediction_rows

BLOBS = tiny_training.Blobs()
DEVELOPMENT = [entry for entry in BLOBS.entries() if entry.split != "test"]
# What the members held out: in common they have twice as many images with pneumonia as without.
HELD_OUT = {
    "one": DEVELOPMENT[:48],
    "two": [entry for i, entry in enumerate(DEVELOPMENT[24:72]) if entry.label or i % 4 == 0],
}
COMMON = [entry for entry in HELD_OUT["two"] if entry in HELD_OUT["one"]]
NAME = "blobs-validation"


@pytest.fixture(scope="module", autouse=True)
def blobs():
    COLLECTIONS["blobs"] = tiny_training.Blobs
    yield
    del COLLECTIONS["blobs"]


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Two untrained exports, each with rows of what it held out."""
    root = tmp_path_factory.mktemp("members")
    for seed, (member_id, side, channels) in enumerate((("one", 32, 1), ("two", 16, 3))):
        folder = root / member_id
        save_network(folder, side, channels, seed)
        card = make_card(
            folder,
            side=side,
            channels=channels,
            title=f"Tiny {member_id}",
            heatmap=Heatmap("last_conv", 0.01, "chosen for the test"),
            threshold=Threshold(0.5, "chosen for the test", NAME),
            data=Data("blobs", "patients split", "made by a test", {}),
            recipe={"target_sensitivity": 0.9},
            limits=("Knows blobs.", f"Sees {side} pixels."),
        )
        write_card(card, folder / "card.json")
        hold_out(folder, HELD_OUT[member_id])
    return root


def hold_out(folder, entries) -> None:
    rows = prediction_rows(entries, np.full(len(entries), 0.5))
    write_predictions(rows, folder / "predictions" / f"{NAME}.csv")


@pytest.fixture
def root(members, tmp_path):
    root = tmp_path / "exports"
    shutil.copytree(members, root)
    return root


@pytest.fixture(scope="module")
def made(members, tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "exports"
    shutil.copytree(members, root)
    make_committee("together", ["one", "two"], root)
    return open_export("together", root)


def test_it_is_calibrated_on_the_images_that_every_member_held_out(made):
    rows = made.predictions(NAME)
    assert made.prediction_sets() == (NAME,)
    assert list(rows["image_id"]) == [entry.id for entry in COMMON]
    card = made.card
    assert card.data.counts["validation"]["images"] == len(COMMON) == 18
    assert card.data.test_read == ()
    assert card.metrics == {NAME: evaluation.summarise(rows, card.threshold.value)}
    assert card.threshold.chosen_on == NAME
    assert "90%" in card.threshold.rule
    assert (rows["probability"][rows["label"] == 1] >= card.threshold.value).mean() >= 0.9


def test_rows_and_scale_are_those_of_the_committee_s_engine(made):
    engine = open_engine(made)
    pixels = [BLOBS.load(image_id).pixels for image_id in made.predictions(NAME)["image_id"]]
    explanations = engine.explain(np.stack([engine.input(image) for image in pixels]))
    probabilities = [explanation.probability for explanation in explanations]
    np.testing.assert_allclose(made.predictions(NAME)["probability"], probabilities, atol=2e-6)
    strongest = [np.abs(explanation.signed_map).max() for explanation in explanations]
    assert made.card.heatmap.scale == pytest.approx(np.percentile(strongest, HEATMAP_PERCENTILE), rel=1e-3)


def test_its_probabilities_are_calibrated_on_average(made):
    """Platt's scaling leaves the mean probability near the share of pneumonia, where the untrained members' is not."""
    rows = made.predictions(NAME)
    assert rows["label"].mean() == pytest.approx(2 / 3)
    assert rows["probability"].mean() == pytest.approx(2 / 3, abs=0.05)


def test_its_card_says_what_it_is(made, members):
    card = made.card
    shas = {member_id: read_card(members / member_id / "card.json").weights.sha256 for member_id in ("one", "two")}
    assert card.committee.members == shas
    assert "Tiny one; Tiny two" in card.summary
    assert card.limits[:3] == ("Knows blobs.", "Tiny one: Sees 32 pixels.", "Tiny two: Sees 16 pixels.")
    assert "as long as all of its members together" in card.limits[-1]
    assert not (made.folder / "model.keras").exists()


def test_a_limit_that_several_members_share_is_said_once(root):
    shutil.copytree(root / "two", root / "three")
    for member_id in ("two", "three"):
        path = root / member_id / "card.json"
        card = read_card(path)
        write_card(dataclasses.replace(card, id=member_id, title=f"Tiny {member_id}", limits=card.limits[::-1]), path)
    limits = make_committee("trio", ["one", "two", "three"], root).card.limits
    assert limits[:3] == ("Knows blobs.", "Tiny one: Sees 32 pixels.", "Tiny two; Tiny three: Sees 16 pixels.")


def test_evaluate_adds_the_test_rows_and_notes_the_reading(made, tmp_path):
    root = shutil.copytree(made.folder.parent, tmp_path / "exports")
    summaries = evaluate(open_export("together", root), "blobs")
    made = open_export("together", root)
    rows = made.predictions("blobs-test")
    assert list(rows["image_id"]) == [entry.id for entry in BLOBS.entries("test")]
    assert made.card.metrics["blobs-test"] == summaries["blobs-test"]
    assert len(made.card.data.test_read) == 1


def test_a_committee_whose_member_was_made_anew_is_made_anew(root):
    first = make_committee("together", ["one", "two"], root)
    shutil.rmtree(root / "one")
    save_network(root / "one", 32, 1, seed=9)
    card = read_card(root / "two" / "card.json")
    write_card(dataclasses.replace(make_card(root / "one"), data=card.data, recipe=card.recipe), root / "one/card.json")
    hold_out(root / "one", HELD_OUT["one"])
    with pytest.raises(ValueError, match="one with other weights"):
        open_export("together", root)
    second = make_committee("together", ["one", "two"], root)
    assert second.fingerprint != first.fingerprint
    assert open_export("together", root).card == second.card


def change_card(root, member_id, **changes) -> None:
    path = root / member_id / "card.json"
    write_card(dataclasses.replace(read_card(path), **changes), path)


def refused(root, *member_ids, made="together") -> str:
    with pytest.raises(ExportError) as raised:
        make_committee(made, member_ids, root)
    assert sorted(path.name for path in root.iterdir()) == ["one", "two"]
    return str(raised.value)


@pytest.mark.parametrize("start", [48, 40])
def test_members_of_another_split_are_refused(root, start):
    """With nothing in common, or with normal images alone."""
    common = [entry for entry in DEVELOPMENT[start:] if start == 48 or not entry.label]
    hold_out(root / "two", common)
    assert "Expected members with the same split of patients" in refused(root, "one", "two")


def test_images_that_are_not_here_are_counted(root):
    for member_id in ("one", "two"):
        path = root / member_id / "predictions" / f"{NAME}.csv"
        rows = pd.read_csv(path, dtype=str)
        write_predictions(pd.concat([rows, rows[:1].assign(image_id="train/gone")]), path)
    assert refused(root, "one", "two").endswith("Received: a copy without 1.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": Data("phantom", "apart", "none", {})}, "one collection. Received: one blobs, two phantom."),
        ({"recipe": {"target_sensitivity": 0.8}}, "one target sensitivity. Received: one 0.9, two 0.8."),
    ],
)
def test_members_that_cannot_be_compared_are_refused(root, changes, message):
    change_card(root, "two", **changes)
    assert message in refused(root, "one", "two")


def test_a_committee_needs_two_members_and_a_free_id(root):
    assert "two different members or more. Received: one." in refused(root, "one")
    assert "Received: one, one." in refused(root, "one", "one")
    assert "one of the models one, two. Received: 'three'" in refused(root, "one", "three")
    assert "no recipe and no other export has. Received: 'one'" in refused(root, "one", "two", made="one")
    assert "Received: 'cnn11'" in refused(root, "one", "two", made="cnn11")
    assert "small letters, digits and dashes. Received: '../x'" in refused(root, "one", "two", made="../x")


def test_a_folder_whose_card_cannot_be_read_is_named_and_stays(root):
    card = root / "together" / "card.json"
    card.parent.mkdir()
    card.write_text("{")
    with pytest.raises(CardError, match=r"together/card\.json: expected JSON"):
        make_committee("together", ["one", "two"], root)
    assert card.read_text() == "{"


def test_weights_are_verified_before_anything_is_read(root):
    (root / "two" / "model.keras").write_bytes(b"others")
    assert "expected the weights of the card" in refused(root, "one", "two")


def test_a_member_without_validation_rows_is_named(root):
    shutil.rmtree(root / "two" / "predictions")
    with pytest.raises(PredictionsError, match="two"):
        make_committee("together", ["one", "two"], root)


def test_the_command_makes_it_and_list_shows_it(root, monkeypatch, capsys):
    monkeypatch.setattr(command, "EXPORTS", root)
    assert command.main(["committee", "together", "one", "two"]) == 0
    assert "blobs-validation: auroc" in capsys.readouterr().out
    monkeypatch.setattr(command, "scan", lambda: ({"together": open_export("together", root)}, {}))
    assert command.main(["list"]) == 0
    assert "together                 committee of one, two\n" in capsys.readouterr().out
    monkeypatch.setattr(command, "scan", lambda: ({}, {"together": "member one: other weights"}))
    assert command.main(["list"]) == 0
    assert "together                 broken export: member one: other weights\n" in capsys.readouterr().out
    assert command.main(["committee", "together", "one"]) == 2
    assert "error: Expected two different members" in capsys.readouterr().err

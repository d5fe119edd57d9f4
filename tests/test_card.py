"""Cards and the registry: what is written is read back, damage is named, and one broken export leaves the others."""

import dataclasses
import json
import re

import pytest
from conftest import make_card

from model_zoo.card import CardError, Reference, Threshold, read_card, write_card
from model_zoo.registry import EXPORTS, ExportError, open_export, scan


@pytest.fixture
def folder(tmp_path):
    """An export's folder with a card; what stands for the weights is never loaded here."""
    return make_export(tmp_path / "exports" / "tiny")


def make_export(folder, **changes):
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"weights of " + folder.name.encode())
    write_card(make_card(folder, **changes), folder / "card.json")
    return folder


def edit(folder, change):
    """Let change(card as a dictionary) damage the card on disk; returns its path."""
    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    change(card)
    path.write_text(json.dumps(card), encoding="utf-8")
    return path


def damaged(path) -> str:
    with pytest.raises(CardError) as raised:
        read_card(path)
    assert str(raised.value).startswith(f"{path}: ")
    return str(raised.value)


def test_what_is_written_is_read_back(folder):
    card = make_card(
        folder,
        title="Größe 128",
        reference=Reference("A paper", {"accuracy": 0.82}, "official test split"),
        metrics={"phantom-test": {"auroc": [0.9, 0.8, None]}},
        limits=("One.", "Two."),
    )
    write_card(card, folder / "card.json")
    assert read_card(folder / "card.json") == card
    assert "Größe" in (folder / "card.json").read_text(encoding="utf-8")


def test_fields_with_a_default_may_be_left_out(folder):
    path = edit(folder, lambda card: [card.pop(name) for name in ("reference", "metrics", "schema")])
    assert read_card(path).reference is None


CARD = make_card(EXPORTS)
OPTIONAL = {"reference", "committee", "metrics", "schema", "test_read"}
FIELDS = [
    (field.name, group)
    for group in ((), ("heatmap",), ("threshold",), ("weights",), ("data",), ("training",))
    for field in dataclasses.fields(getattr(CARD, group[0]) if group else CARD)
    if field.name not in OPTIONAL
]


@pytest.mark.parametrize(("name", "group"), FIELDS, ids=lambda value: value if isinstance(value, str) else None)
def test_a_missing_field_is_named(folder, name, group):
    path = edit(folder, lambda card: (card[group[0]] if group else card).pop(name))
    assert f"{'.'.join(('card', *group))}: expected the fields {name}." in damaged(path)


@pytest.mark.parametrize(("name", "group"), FIELDS, ids=lambda value: value if isinstance(value, str) else None)
@pytest.mark.parametrize("value", [None, True, [[1]]])
def test_a_field_of_another_type_is_named(folder, name, group, value):
    path = edit(folder, lambda card: (card[group[0]] if group else card).update({name: value}))
    assert re.search(rf"{'.'.join(('card', *group, name))}: expected .* Received: ", damaged(path))


NETWORK = ("side", "channels", "heatmap", "weights")


def test_a_baseline_has_none_of_what_describes_a_network(folder):
    edit(folder, lambda card: card.update(dict.fromkeys(NETWORK)))
    export = scan(folder.parent)[0]["tiny"]
    assert not export.sees_pixels
    with pytest.raises(ExportError, match="sees no pixels"):
        export.verified_model_path()


@pytest.mark.parametrize("kept", NETWORK)
def test_half_a_network_is_refused(folder, kept):
    path = edit(folder, lambda card: card.update({name: None for name in NETWORK if name != kept}))
    assert f"expected a value, as {kept} has one. Received: None." in damaged(path)


def test_an_unknown_field_is_named(folder):
    path = edit(folder, lambda card: card["weights"].update({"colour": "red"}))
    assert "card.weights: expected no other fields than the card's. Received: colour." in damaged(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema: expected 1. Received: 2."),
        ({"side": 4}, "side: expected at least 8. Received: 4."),
        ({"channels": 2}, "channels: expected 1 or 3. Received: 2."),
        ({"temperature": 0}, "temperature: expected a number above 0."),
        ({"temperature": float("nan")}, "temperature: expected a number above 0."),
        ({"temperature": float("inf")}, "temperature: expected a number above 0."),
        ({"heatmap": {"layer": "c", "scale": 0, "rule": "r"}}, "heatmap.scale: expected a number above 0."),
        ({"threshold": {"value": -0.1, "rule": "r", "chosen_on": "x-validation"}}, "threshold.value: expected a prob"),
        ({"threshold": {"value": 1.5, "rule": "r", "chosen_on": "x-validation"}}, "threshold.value: expected a prob"),
        ({"threshold": {"value": 0.5, "rule": "r", "chosen_on": "chest_xray-test"}}, "Received: 'chest_xray-test'."),
    ],
)
def test_a_value_that_cannot_be_is_named(folder, change, message):
    assert message in damaged(edit(folder, lambda card: card.update(change)))


@pytest.mark.parametrize("name", ["chest_xray-test", "phantom-test"])
def test_no_operating_point_is_chosen_on_a_test_split(folder, name):
    with pytest.raises(CardError, match=r"threshold\.chosen_on: expected a prediction set other than a test split"):
        make_card(folder, threshold=Threshold(0.5, "Youden", name))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b"version https://git-lfs.github.com\n", b"[" * 100_000, b"9" * 5000],
)
def test_a_file_that_is_no_card(folder, content):
    (folder / "card.json").write_bytes(content)
    assert "expected" in damaged(folder / "card.json")


def test_a_number_that_no_float_holds_is_named(folder):
    path = folder / "card.json"
    path.write_text(re.sub(r'"temperature": [0-9.]+', f'"temperature": {10**400}', path.read_text()))
    assert "too large" in damaged(path)


def test_a_missing_card(folder):
    (folder / "card.json").unlink()
    assert "no such file" in damaged(folder / "card.json")


def test_a_folder_in_place_of_a_card_is_named_and_the_others_work(folder):
    (folder.parent / "other" / "card.json").mkdir(parents=True)
    exports, problems = scan(folder.parent)
    assert list(exports) == ["tiny"]
    assert "card.json: expected a model card. Received: Is a directory." in problems["other"]


def test_a_broken_export_is_named_and_the_others_work(folder):
    root = folder.parent
    make_export(root / "sound")
    (root / ".hidden").mkdir()
    make_export(root / "moved", id="elsewhere")
    edit(folder, lambda card: card.pop("side"))
    exports, problems = scan(root)
    assert list(exports) == ["sound"]
    assert set(problems) == {"tiny", "moved"}
    assert "side" in problems["tiny"]
    assert "'elsewhere'" in problems["moved"]
    assert open_export("sound", root).card.title == "Tiny"
    with pytest.raises(CardError, match="side"):
        open_export("tiny", root)
    with pytest.raises(ExportError, match=r"Expected one of the models sound\. Received: 'unknown'"):
        open_export("unknown", root)


def test_no_exports_at_all(tmp_path):
    assert scan(tmp_path / "none") == ({}, {})
    with pytest.raises(ExportError, match=r"\(none\)"):
        open_export("tiny", tmp_path / "none")


def test_weights_other_than_the_card_s_are_refused(folder):
    export = scan(folder.parent)[0]["tiny"]
    assert export.verified_model_path() == folder / "model.keras"
    (folder / "model.keras").write_bytes(b"others")
    with pytest.raises(ExportError, match="sha256"):
        export.verified_model_path()
    (folder / "model.keras").unlink()
    with pytest.raises(ExportError, match="no such file"):
        export.verified_model_path()


def test_prediction_sets_are_the_csv_files(folder):
    export = scan(folder.parent)[0]["tiny"]
    assert export.prediction_sets() == ()
    (folder / "predictions").mkdir()
    for name in ("phantom-test.csv", "chest_xray-test.csv", "notes.txt"):
        (folder / "predictions" / name).touch()
    assert export.prediction_sets() == ("chest_xray-test", "phantom-test")

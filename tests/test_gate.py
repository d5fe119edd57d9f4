"""Is this a chest film? The measures, the doubts that follow, and what is stored of both."""

import dataclasses
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from cases.decode import decode
from cases.phantom import PhantomParameters, generate
from cases.preprocess import model_input
from cases.radiograph import Radiograph
from model_zoo.card import read_card, write_card
from model_zoo.lungs import gate
from model_zoo.lungs.card import read_lung_card
from model_zoo.lungs.gate import ChestGate, GateCard, Reference, doubted, doubts_of, measures, read_gate_rows
from model_zoo.lungs.regions import lung_fields
from model_zoo.registry import ExportError

SIDE = 64
CARD = GateCard(
    network="the network",
    lowest={"solidity": 0.8, "contrast": 10.0},
    highest={"grain": 0.5, "distance": 3.0, "flat": 0.5, "colour": 0.05},
    rule="chosen for the test",
    chosen_on="phantom-validation",
    reference="none",
)
REFERENCE = Reference(np.zeros(2), np.eye(2))
CHEST = {"found": 1, "sides": 2, "solidity": 0.95, "grain": 0.1, "distance": 1.0, "contrast": 50.0, "flat": 0.1}


def two_lungs() -> np.ndarray:
    probability = np.full((SIDE, SIDE), 0.01)
    probability[10:50, 8:26] = probability[10:50, 36:54] = 0.99
    return probability


class FakeSegmenter:
    """Finds lungs in an image whose upper left pixel is white."""

    card = dataclasses.make_dataclass("Card", ["sha256"])("the network")
    features = np.zeros(2)

    def input(self, pixels):
        return model_input(pixels, SIDE, 1)

    def probabilities(self, images):
        return np.stack([two_lungs() if image[0, 0, 0] > 200 else np.zeros((SIDE, SIDE)) for image in images])

    def look(self, images):
        return self.probabilities(images), np.repeat(self.features[np.newaxis], len(images), axis=0)

    def fields(self, probability):
        return lung_fields(probability, 0.1, 0.5)


@pytest.fixture
def stored(tmp_path):
    write_card(CARD, tmp_path / "gate.json")
    np.savez(tmp_path / "reference.npz", mean=REFERENCE.mean, precision=REFERENCE.precision)
    return tmp_path


def film() -> np.ndarray:
    return (255 - np.indices((SIDE, SIDE)).sum(0)).astype(np.uint8)


def look(stored, pixels, colour=0.0):
    return ChestGate(FakeSegmenter(), stored).look(Radiograph(np.ascontiguousarray(pixels), "made", colour=colour))


def test_a_chest_raises_no_doubt_and_each_measure_beyond_its_limit_does():
    assert doubts_of(CHEST, CARD) == ()
    for changes, doubts in (
        ({"solidity": 0.7}, (gate.SHAPE,)),
        ({"grain": 0.6}, (gate.GRAIN,)),
        ({"distance": 4}, (gate.UNLIKE,)),
        ({"found": 0, "sides": 2, "solidity": 0}, (gate.NO_LUNGS,)),
        ({"found": 0, "sides": 0, "solidity": 0, "contrast": 2, "flat": 0.9}, (gate.NO_LUNGS, gate.BLANK, gate.FLAT)),
        ({"found": 0, "sides": 1, "solidity": 0}, (gate.ONE_LUNG,)),
        # These only explain a doubt that something else raised.
        ({"contrast": 2, "flat": 0.9}, ()),
        ({"distance": np.nan}, (gate.UNLIKE,)),
    ):
        assert doubts_of({**CHEST, **changes}, CARD) == doubts, changes
    assert doubts_of(CHEST, CARD, colour=0.1) == (gate.COLOUR,)


def test_measures_are_what_they_say():
    probability, flat = two_lungs(), np.full((SIDE, SIDE, 1), 90, np.uint8)[..., 0]
    found = measures(flat, probability, lung_fields(probability, 0.1, 0.5), np.array([3.0, 4.0]), REFERENCE)
    assert tuple(found) == gate.MEASURES
    assert found["distance"] == pytest.approx(5)
    assert (found["found"], found["sides"], found["solidity"]) == (1, 2, 1)
    assert (found["grain"], found["contrast"], found["flat"]) == (0, 0, 1)
    flat[20, 20] += 64
    spot = measures(flat, probability, None, np.zeros(2), REFERENCE)
    assert spot["grain"] == pytest.approx(8 * 64 / SIDE**2 / (flat.std() + 1))
    probability[10:40, 20:26] = 0.01
    notched = measures(film(), probability, lung_fields(probability, 0.1, 0.5), np.zeros(2), REFERENCE)
    assert notched["solidity"] == pytest.approx(540 / 622, abs=0.02)
    probability = two_lungs()
    probability[:, 32:] = 0.01
    one = measures(film(), probability, lung_fields(probability, 0.1, 0.5), np.zeros(2), REFERENCE)
    assert (one["found"], one["sides"], one["solidity"]) == (0, 1, 0)


def test_a_film_is_looked_at_once_and_keeps_its_lungs(stored):
    seen = look(stored, film())
    assert seen.doubts == ()
    assert set(np.unique(seen.fields.lungs)) == {0, 1, 2}


def test_what_must_be_undone_for_lungs_to_be_found_is_named(stored):
    assert look(stored, 255 - film()).doubts == (gate.NEGATIVE,)
    for corner in ((0, -1), (-1, 0), (-1, -1)):
        turned = np.full((SIDE, SIDE), 128, np.uint8)
        turned[corner] = 255
        assert look(stored, turned).doubts == (gate.TURNED,)
    assert look(stored, np.full((SIDE, SIDE), 128, np.uint8)).doubts == (gate.NO_LUNGS, gate.BLANK, gate.FLAT)


@pytest.mark.parametrize("pixels", [np.full((99, 70), 220, np.uint8), np.full((1, 200), 220, np.uint8)])
def test_a_constant_image_and_one_of_a_single_row_are_measured(stored, pixels):
    seen = look(stored, pixels)
    assert seen.fields is not None
    assert seen.doubts == ()
    assert gate.BLANK in look(stored, pixels, colour=0.5).doubts


def test_an_image_of_few_pixels_is_not_doubted_for_being_enlarged(stored):
    squares = np.where((np.indices((16, 16)) // 2).sum(0) % 2, 90, 220).astype(np.uint8)
    assert look(stored, np.kron(squares, np.ones((4, 4), np.uint8))).doubts == (gate.GRAIN, gate.FLAT)
    assert look(stored, squares).doubts == ()


def test_stripes_too_fine_for_the_network_to_see_are_no_grain(stored):
    stripes = np.tile(np.array([180, 250, 250, 180, 250, 180, 180, 250], np.uint8), (4 * SIDE, SIDE // 2))
    assert look(stored, stripes).doubts == ()


def test_features_that_are_no_numbers_are_a_doubt(stored, monkeypatch):
    monkeypatch.setattr(FakeSegmenter, "features", np.array([np.nan, 0]))
    assert look(stored, film()).doubts == (gate.UNLIKE,)


def test_limits_for_another_network_are_refused(stored, tmp_path_factory):
    write_card(dataclasses.replace(CARD, network="another"), stored / "gate.json")
    with pytest.raises(ExportError, match="lungs gate"):
        ChestGate(FakeSegmenter(), stored)
    with pytest.raises(ExportError, match=r"reference\.npz"):
        gate.read_reference(tmp_path_factory.mktemp("empty"))
    with pytest.raises(ExportError, match="no such file"):
        read_gate_rows("chest_xray-test", stored)


def test_a_damaged_row_is_named(tmp_path):
    lines = (gate.GATE / "made-test.csv").read_text().splitlines()
    (tmp_path / "made-test.csv").write_text("\n".join([*lines[:5], lines[4]]))
    with pytest.raises(ExportError, match="line 6, column kind: expected no other row of the same image_id and kind"):
        read_gate_rows("made-test", tmp_path)
    (tmp_path / "made-test.csv").write_text("\n".join([*lines[:5], lines[5].rpartition(",")[0] + ",much"]))
    with pytest.raises(ExportError, match=r"line 6, column flat: .* to 10000\. Received: 'much'"):
        read_gate_rows("made-test", tmp_path)


def packed(write, *arrays, **named) -> bytes:
    file = BytesIO()
    write(file, *arrays, **named)
    return file.getvalue()


STORED = (gate.GATE / "reference.npz").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"version https://git-lfs.github.com/spec/v1",
        STORED[: len(STORED) // 2],
        STORED[:5000] + bytes([STORED[5000] ^ 255]) + STORED[5001:],
        packed(np.savez, other=np.zeros(2)),
        packed(np.savez, mean=np.array([None]), precision=np.eye(1)),
        packed(np.save, np.zeros(2)),
    ],
    ids=["missing", "empty", "a pointer", "cut", "a bit turned", "other arrays", "objects", "one array"],
)
def test_a_damaged_reference_is_named_with_the_way_out(content, tmp_path):
    path = tmp_path / "reference.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError, match=r"Received: (no such|a damaged) file.*`python -m train lungs gate`") as named:
        gate.read_reference(tmp_path)
    assert str(named.value).startswith(f"{path}: expected")


def jpeg(pixels: np.ndarray) -> bytes:
    data = BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=80)
    return data.getvalue()


def test_several_colours_are_a_doubt_and_one_tint_is_none():
    card = read_card(gate.GATE_CARD, GateCard)
    pixels = generate(PhantomParameters(3)).pixels
    gray = np.repeat(pixels[..., np.newaxis], 3, axis=2)
    assert decode(jpeg(gray), "gray").colour == 0
    toned = (gray * [1.0, 0.85, 0.6] + [10, 5, 0]).clip(0, 255).astype(np.uint8)
    assert gate.COLOUR not in doubts_of(CHEST, card, decode(jpeg(toned), "toned").colour)
    for photograph in load_sample_images().images:
        assert gate.COLOUR in doubts_of(CHEST, card, decode(jpeg(photograph), "photograph").colour)


# What follows is about what is stored in model_zoo/lungs/export/gate.


def test_the_stored_limits_are_for_the_stored_network_and_from_its_validation_rows():
    from train.lungs.gate import limits_of

    card = read_card(gate.GATE_CARD, GateCard)
    assert card.network == read_lung_card().sha256
    assert not card.chosen_on.endswith("-test")
    lowest, highest = limits_of(read_gate_rows(card.chosen_on), [card.highest["colour"]])
    assert (lowest, highest) == (card.lowest, card.highest)


def test_at_most_two_in_a_hundred_films_are_doubted_that_nothing_was_chosen_on():
    card = read_card(gate.GATE_CARD, GateCard)
    rows = read_gate_rows("chest_xray-test")
    assert len(rows) == 624
    assert doubted(rows, card).mean() <= 0.02
    assert doubted(read_gate_rows("phantom-test"), card).mean() <= 0.02


def test_pictures_of_kinds_that_nothing_was_chosen_on_are_stored_beside_the_others():
    from train.lungs.strangers import KNOWN, UNSEEN

    known, made = (set(read_gate_rows(name)["kind"]) for name in ("made-known", "made-test"))
    assert known == {maker.__name__ for maker in KNOWN}
    assert made == known | {maker.__name__ for maker in UNSEEN}
    assert not known & {maker.__name__ for maker in UNSEEN}

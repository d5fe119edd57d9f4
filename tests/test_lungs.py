"""Lung fields: regions from masks, the measures, and the network that comes with the clone."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_sample_images
from sklearn.metrics import f1_score

from cases.collections import open_collection
from cases.phantom import PhantomParameters, generate
from cases.radiograph import Radiograph
from model_zoo.card import CardError, read_card
from model_zoo.intervals import clustered_share
from model_zoo.lungs import card as lung_card
from model_zoo.lungs import gate
from model_zoo.lungs.card import LungCard, read_lung_card
from model_zoo.lungs.gate import ChestGate
from model_zoo.lungs.regions import (
    HEART,
    OUTSIDE,
    REGIONS,
    UPPER_MEDIASTINUM,
    ZONES,
    confidence,
    in_lungs,
    lung_fields,
    right_and_left,
    shares,
)
from model_zoo.lungs.rows import dice, hausdorff95, read_rows, rows_path, summarise
from model_zoo.registry import ExportError


def two_lungs(side: int = 60) -> np.ndarray:
    """Rectangles: the right lung in columns 6 to 23, the left one in 36 to 53, both in rows 12 to 47."""
    mask = np.zeros((side, side), bool)
    mask[12:48, 6:24] = mask[12:48, 36:54] = True
    return mask


def fields_of(mask: np.ndarray):
    return lung_fields(np.where(mask, 0.99, 0.01), 0.05, 0.5)


def test_the_image_s_left_is_the_patient_s_right():
    lungs = fields_of(two_lungs()).lungs
    assert (lungs[12:48, 6:24] == 1).all()
    assert (lungs[12:48, 36:54] == 2).all()
    assert (lungs > 0).sum() == two_lungs().sum()


def test_zones_are_thirds_of_each_lung_and_what_lies_between_has_two_parts():
    regions = fields_of(two_lungs()).regions
    for column, zones in ((10, (1, 2, 3)), (40, (4, 5, 6))):
        assert [regions[row, column] for row in (12, 23, 24, 35, 36, 47)] == [zones[i // 2] for i in range(6)]
    assert regions[15, 30] == UPPER_MEDIASTINUM
    assert regions[40, 30] == HEART
    assert regions[5, 30] == regions[40, 2] == regions[50, 30] == OUTSIDE


def test_lungs_that_touch_are_parted_where_the_mask_is_narrowest():
    mask = two_lungs()
    mask[20:24, 24:36] = True
    lungs = right_and_left(mask)
    assert (lungs[12:48, 6:24] == 1).all()
    assert (lungs[12:48, 36:54] == 2).all()


def test_a_lung_in_two_parts_stays_one_lung():
    mask = two_lungs()
    mask[28:31, 6:24] = False
    assert (right_and_left(mask)[mask & (np.arange(60) < 30)] == 1).all()


def test_a_speck_beside_the_lungs_is_part_of_neither():
    mask = two_lungs()
    mask[52:55, 2:5] = True
    assert np.array_equal(fields_of(mask).lungs > 0, two_lungs())


@pytest.mark.parametrize(
    "probability",
    [
        np.zeros((40, 40)),
        np.where(two_lungs(), 0.51, 0.01),
        np.where(two_lungs() & (np.arange(60) < 30), 0.99, 0.01),
        np.where(two_lungs() & (np.arange(60) > 30), 0.99, 0.01),
        np.where(np.indices((60, 60)).sum(0) % 9 == 0, 0.99, 0.01),
    ],
    ids=["nothing", "unsure", "one lung", "the other lung", "fragments"],
)
def test_what_is_no_pair_of_lungs_is_none(probability):
    assert lung_fields(probability, 0.02, 0.5) is None


def test_confidence_is_of_what_is_called_lung():
    assert confidence(np.array([[0.75, 0.0], [0.0, 1.0]])) == pytest.approx(0.75)
    assert confidence(np.zeros((2, 2))) == 0


def test_shares_add_up_and_follow_the_evidence():
    regions = fields_of(two_lungs()).regions
    heatmap = np.zeros((60, 60))
    heatmap[38:46, 8:20] = 3
    found = shares(heatmap, regions)
    assert found.keys() == REGIONS.keys()
    assert sum(found.values()) == pytest.approx(1)
    assert found[3] == pytest.approx(1)
    assert in_lungs(found) == pytest.approx(1)
    everywhere = shares(np.ones((4, 4)), regions)
    assert everywhere[OUTSIDE] == pytest.approx((regions == OUTSIDE).mean())
    assert in_lungs(everywhere) == pytest.approx(np.isin(regions, list(ZONES)).mean())


def test_an_empty_map_has_no_shares_and_a_wrong_one_is_refused():
    regions = fields_of(two_lungs()).regions
    assert shares(np.zeros((3, 3)), regions) is None
    for wrong in (-1.0, np.nan):
        with pytest.raises(ValueError, match="at least 0"):
            shares(np.full((3, 3), wrong), regions)


def test_dice_is_scikit_learn_s_f1():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 30, 30)) > 0.6
    assert dice(first, second) == pytest.approx(f1_score(second.ravel(), first.ravel()))
    assert dice(first & False, second & False) == 1
    assert dice(first, second & False) == 0


def test_hausdorff95_is_the_distance_of_shifted_borders():
    mask = two_lungs()
    assert hausdorff95(mask, mask) == 0
    assert hausdorff95(mask, np.roll(mask, 3, axis=0)) == 3
    assert np.isnan(hausdorff95(mask, mask & False))
    # A lung that was not found is as far off as one that is not there: it lies 13 to 30 columns from the other.
    right = mask & (np.arange(60) < 30)
    assert hausdorff95(mask, right) == hausdorff95(right, mask) > 20


def test_a_summary_has_intervals_over_patients():
    rows = pd.DataFrame({"patient_id": list("aabc"), "dice": [1, 1, 0.5, 0.5], "hausdorff95": [1, 1, np.nan, 2.0]})
    summary = summarise(rows.assign(found=1))
    assert summary["dice"][0] == 0.75
    assert summary["dice"][1] < 0.75 < summary["dice"][2]
    assert summary["hausdorff95"][0] == pytest.approx(4 / 3, abs=1e-4)
    # Of three patients.
    assert summary["found"] == [1, pytest.approx(0.025 ** (1 / 3), abs=1e-4), 1]


def test_a_summary_without_a_known_distance_has_none():
    """As of a network that finds no lung at all."""
    rows = pd.DataFrame({"patient_id": list("abc"), "dice": 0.0, "hausdorff95": np.nan, "found": 0})
    summary = summarise(rows)
    assert np.isnan(summary["hausdorff95"]).all()
    assert summary["dice"] == [0, 0, 0]
    assert summary["found"][:2] == [0, 0]
    assert np.isnan(clustered_share(rows["hausdorff95"], rows["patient_id"]).high)


# What follows is about the network in model_zoo/lungs/export.


@pytest.fixture(scope="module")
def segmenter():
    from model_zoo.lungs.segmenter import LungSegmenter

    return LungSegmenter()


@pytest.fixture(scope="module")
def phantoms():
    collection = open_collection("phantom")
    return [collection.load(entry.id) for entry in collection.entries("test")[:8]]


def test_stored_summaries_are_those_of_the_rows():
    card = read_lung_card()
    assert {"chest_xray-validation", "chest_xray-test", "phantom-test"} <= card.metrics.keys()
    for name, summary in card.metrics.items():
        assert summarise(read_rows(name)) == summary, name


def test_the_network_is_as_good_as_is_claimed_on_films_it_never_saw():
    rows = read_rows("chest_xray-test")
    assert len(rows) == 624
    assert rows["dice"].mean() >= 0.955
    assert 1 - rows["found"].mean() <= 0.02
    assert not read_lung_card().gate.chosen_on.endswith("-test")


def test_stored_rows_are_what_the_network_says(segmenter, phantoms):
    rows = read_rows("phantom-test").set_index("image_id")
    entries = open_collection("phantom").entries("test")
    for entry, phantom in zip(entries, phantoms, strict=False):
        probability = segmenter.probabilities(segmenter.input(phantom.pixels)[np.newaxis])[0]
        found = cv2.resize(probability, (224, 224), interpolation=cv2.INTER_LINEAR) > 0.5
        assert dice(found, phantom.lung_fields > 0) == pytest.approx(rows.at[entry.id, "dice"], abs=0.002)


def test_each_lung_of_a_phantom_is_found_on_its_side(segmenter, phantoms):
    for phantom in phantoms:
        lungs = segmenter.find(phantom.pixels).lungs
        true = cv2.resize(phantom.lung_fields, lungs.shape[::-1], interpolation=cv2.INTER_NEAREST)
        for side in (1, 2):
            assert dice(lungs == side, true == side) > 0.9


def test_a_turned_film_keeps_its_lungs(segmenter):
    pixels = generate(PhantomParameters(11)).pixels
    turn = cv2.getRotationMatrix2D((112, 112), 15, 1)
    lungs = segmenter.find(cv2.warpAffine(pixels, turn, (224, 224))).lungs
    true = cv2.warpAffine((generate(PhantomParameters(11)).lung_fields > 0).astype(np.uint8), turn, (224, 224))
    assert dice(cv2.resize(lungs, (224, 224), interpolation=cv2.INTER_NEAREST) > 0, true > 0) > 0.85


def not_chests() -> list:
    """Images unlike the ones that the network learnt nothing on: photographs, and what a scanner may send."""
    photographs = [cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) for photo in load_sample_images().images]
    chessboard = (255 * (np.indices((200, 200)) // 25).sum(0) % 2 * 255).astype(np.uint8)
    noise = np.random.default_rng(3).integers(0, 256, (300, 260), dtype=np.uint8)
    made = {"black": np.zeros((99, 70), np.uint8), "white": np.full((50, 50), 255, np.uint8), "noise": noise}
    made |= {"chessboard": chessboard, "one row": np.arange(200, dtype=np.uint8)[np.newaxis]}
    made |= {f"photograph {i}": photo for i, photo in enumerate(photographs)}
    made["negative"] = 255 - generate(PhantomParameters(5)).pixels
    return [pytest.param(pixels, id=name) for name, pixels in made.items()]


@pytest.mark.parametrize("pixels", not_chests())
def test_no_lungs_are_found_where_there_is_no_chest(segmenter, pixels):
    assert segmenter.find(pixels) is None


@pytest.mark.parametrize("pixels", not_chests())
def test_what_is_no_chest_is_doubted(segmenter, pixels):
    look = ChestGate(segmenter).look(Radiograph(pixels, "made"))
    assert look.fields is None
    assert look.doubts


def test_phantoms_raise_no_doubt_but_their_negatives_and_turned_ones_do(segmenter, phantoms):
    chest_gate = ChestGate(segmenter)
    for phantom in phantoms:
        assert chest_gate.look(phantom).doubts == ()
    pixels = phantoms[0].pixels
    small = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
    assert chest_gate.look(Radiograph(small, "made")).doubts == ()
    assert chest_gate.look(Radiograph(255 - pixels, "made")).doubts == (gate.NEGATIVE,)
    assert chest_gate.look(Radiograph(np.rot90(pixels).copy(), "made")).doubts == (gate.TURNED,)


def test_other_weights_than_the_card_s_are_refused(tmp_path):
    from model_zoo.lungs.segmenter import LungSegmenter

    shutil.copy(lung_card.EXPORT / "card.json", tmp_path)
    with pytest.raises(ExportError, match="no such file"):
        LungSegmenter(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"other")
    with pytest.raises(ExportError, match="sha256"):
        LungSegmenter(tmp_path)
    with pytest.raises(ExportError, match="no such file"):
        read_rows("chest_xray-test", tmp_path)


def test_a_damaged_row_is_named(tmp_path):
    lines = rows_path("phantom-test").read_text().splitlines()
    path = rows_path("phantom-test", tmp_path)
    path.parent.mkdir()
    path.write_text("\n".join([*lines[:3], lines[3].replace(",1", ",1000"), *lines[4:]]))
    with pytest.raises(ExportError, match=r"line 4, column found: expected a number from 0 to 448\. Received: '1000'"):
        read_rows("phantom-test", tmp_path)


def test_a_broken_card_is_named(tmp_path):
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(CardError, match="architecture"):
        read_card(tmp_path / "card.json", LungCard)
    assert lung_card.EXPORT.is_dir()

"""Parts of a film, side markers, and the filling of what is blanked."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cases.phantom import PhantomParameters, generate
from model_zoo.blanking import BORDER, PARTS, SIDE, blanked, parts, side_markers


@pytest.fixture(scope="module")
def phantom():
    return generate(PhantomParameters(21, marker="R"))


def test_parts_are_what_they_are_called(phantom):
    lungs = phantom.lung_fields > 0
    found = parts(phantom.pixels, lungs)
    assert tuple(found) == PARTS
    assert all(mask.shape == (SIDE, SIDE) and mask.dtype == bool for mask in found.values())
    np.testing.assert_array_equal(found["outside"], ~lungs)
    assert found["lungs"][lungs].all()
    assert found["lungs"].sum() < 1.3 * lungs.sum()
    assert not (found["borders"] & lungs).any()
    width = round(BORDER * SIDE)
    assert not found["borders"][width:-width, width:-width].any()
    assert found["borders"][:, :width][~lungs[:, :width]].all()


def test_parts_do_not_depend_on_the_size_of_film_and_mask(phantom):
    lungs = (phantom.lung_fields > 0).astype(np.uint8)
    large = cv2.resize(phantom.pixels, (448, 448), interpolation=cv2.INTER_NEAREST)
    small = parts(phantom.pixels, lungs > 0)
    for name, mask in parts(large, cv2.resize(lungs, (896, 896), interpolation=cv2.INTER_NEAREST) > 0).items():
        np.testing.assert_array_equal(mask, small[name], err_msg=name)


@pytest.mark.parametrize("whole", [False, True])
def test_a_film_of_no_lungs_or_of_nothing_else_has_no_parts(whole):
    with pytest.raises(ValueError, match="Expected lungs on a part of the film"):
        parts(np.zeros((50, 50), np.uint8), np.full((50, 50), whole))


def test_most_markers_of_phantoms_are_found_whole_and_none_where_there_is_none():
    covered = []
    for seed in range(24):
        marked = generate(PhantomParameters(seed, marker="R"))
        bare = generate(replace(marked.parameters, marker=""))
        letters = np.abs(marked.pixels.astype(int) - bare.pixels) > 20
        lungs = marked.lung_fields > 0
        covered.append((side_markers(marked.pixels, lungs) & letters).sum() / letters.sum())
        assert not side_markers(bare.pixels, lungs).any(), seed
    assert np.mean(np.array(covered) > 0.9) >= 0.75


@pytest.mark.parametrize("drawn", ["letter", "electrode", "wire", "in the middle"])
def test_a_letter_beside_the_lungs_is_a_marker_and_other_bright_things_are_not(drawn):
    film = np.full((SIDE, SIDE), 40, np.uint8)
    lungs = np.zeros((SIDE, SIDE), bool)
    lungs[60:180, 50:95] = lungs[60:180, 130:175] = True
    film[lungs] = 20
    if drawn == "electrode":
        cv2.circle(film, (20, 30), 7, 220, -1, cv2.LINE_AA)
    elif drawn == "wire":
        cv2.line(film, (5, 10), (40, 50), 220, 2, cv2.LINE_AA)
    else:
        cv2.putText(
            film, "R", (12 if drawn == "letter" else 105, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 220, 2, cv2.LINE_AA
        )
    assert side_markers(film, lungs).any() == (drawn == "letter")


def test_a_hole_is_filled_smoothly_from_its_surroundings_and_nothing_else_changes():
    ramp = np.broadcast_to(np.linspace(40, 200, 120), (90, 120)).astype(np.uint8)
    hole = np.zeros((90, 120), bool)
    hole[30:60, 40:80] = True
    film = ramp.copy()
    film[hole] = 255
    filled = blanked(film, hole)
    np.testing.assert_array_equal(filled[~hole], ramp[~hole])
    assert np.abs(filled.astype(int) - ramp)[hole].max() <= 20
    assert np.abs(np.diff(filled.astype(int), axis=0)).max() <= 12


def test_what_was_in_a_hole_leaves_no_trace(phantom):
    hole = parts(phantom.pixels, phantom.lung_fields > 0)["lungs"]
    other = phantom.pixels.copy()
    other[hole] = 7
    np.testing.assert_array_equal(blanked(phantom.pixels, hole), blanked(other, hole))


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (37, 91), (500, 300)])
def test_a_film_of_any_size_is_filled_from_a_mask_of_any_size(shape):
    film = np.full(shape, 90, np.uint8)
    half = np.zeros((10, 10), bool)
    half[:, :5] = half[:5] = True
    half[-1, -1] = False
    np.testing.assert_array_equal(blanked(film, half), film)


def test_nothing_to_fill_changes_nothing_and_all_of_a_film_is_refused(phantom):
    np.testing.assert_array_equal(blanked(phantom.pixels, np.zeros((8, 8), bool)), phantom.pixels)
    with pytest.raises(ValueError, match="leaves something"):
        blanked(phantom.pixels, np.ones((8, 8), bool))

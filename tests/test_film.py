"""Pictures for a screen: sizes, outlines, the legend's colours, and the probability on its scale."""

import numpy as np
import pytest

from views.shared import film
from views.shared.figures.probability_scale import probability_scale


@pytest.mark.parametrize(
    ("size", "expected"),
    [((224, 224), (512, 512)), ((600, 800), (600, 800)), ((2000, 1000), (900, 450)), ((32, 4000), (7, 900))],
)
def test_the_longer_side_fits_a_screen_and_the_aspect_ratio_stays(size, expected):
    picture = film.for_screen(np.full(size, 90, np.uint8))
    assert picture.shape == expected
    assert picture.dtype == np.uint8
    assert (picture == 90).all()


def test_an_outline_is_drawn_at_the_border_only_and_leaves_the_picture_alone():
    picture = np.zeros((100, 100), np.uint8)
    mask = np.zeros((50, 50), bool)
    mask[10:40, 10:40] = True
    outlined = film.outlined(picture, mask, (255, 215, 60))
    assert (picture == 0).all()
    assert tuple(outlined[20, 50]) == (255, 215, 60)
    assert not outlined[50, 50].any()
    assert not outlined[5, 5].any()


def test_an_empty_mask_draws_nothing():
    assert not film.outlined(np.zeros((64, 64, 3), np.uint8), np.zeros((32, 32), bool), (255, 0, 0)).any()


def test_the_legend_runs_from_dark_to_bright():
    gradient = film.css_gradient("inferno", stops=3)
    assert gradient.startswith("linear-gradient(to right, rgb(0, 0, ")
    assert gradient.count("rgb(") == 3


@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("ground", ["light", "dark"])
def test_any_probability_and_operating_point_can_be_drawn(probability, threshold, ground):
    drawn = str(probability_scale(probability, threshold, ground))
    assert f"operating point {threshold:.3f}" in drawn
    assert "this image" in drawn

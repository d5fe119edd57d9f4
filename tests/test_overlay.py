"""Painting: what is shown where there is evidence, and where there is none."""

import numpy as np
import pytest

from model_zoo.overlay import COLOUR_MAPS, overlay, relative_strength

FILM = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (50, 1))


def test_no_evidence_leaves_the_film_as_it_is():
    strength = relative_strength(np.zeros((4, 4)), scale=2.0, size=FILM.shape)
    painted = overlay(FILM, strength, opacity=0.9, colour_map="inferno")
    np.testing.assert_array_equal(painted, np.repeat(FILM[:, :, None], 3, axis=2))


def test_the_scale_is_the_model_s_and_not_the_image_s():
    weak, strong = np.full((4, 4), 0.5), np.full((4, 4), 5.0)
    assert relative_strength(weak, 2.0, (8, 8)).max() == pytest.approx(0.25)
    assert relative_strength(strong, 2.0, (8, 8)).max() == 1.0


@pytest.mark.parametrize("colour_map", COLOUR_MAPS)
def test_colour_appears_where_the_evidence_is(colour_map):
    heatmap = np.zeros((5, 6))
    heatmap[0, 5] = 1.0
    painted = overlay(FILM, relative_strength(heatmap, 1.0, FILM.shape), opacity=0.8, colour_map=colour_map)
    assert painted.shape == (*FILM.shape, 3)
    assert painted.dtype == np.uint8
    changed = (painted != FILM[:, :, None]).any(axis=2)
    assert changed[0, -1]
    assert not changed[25:, :30].any()


def test_zero_opacity_hides_the_heatmap():
    painted = overlay(FILM, np.ones(FILM.shape), opacity=0.0, colour_map="turbo")
    np.testing.assert_array_equal(painted, np.repeat(FILM[:, :, None], 3, axis=2))


def test_an_unknown_colour_map_is_named():
    with pytest.raises(ValueError, match="Received: 'rainbow'"):
        overlay(FILM, np.ones(FILM.shape), 0.5, "rainbow")

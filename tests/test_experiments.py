"""Experiments towards the champion: stress that can be repeated, and a page made from rows."""

import numpy as np
import pandas as pd
import pytest

from model_zoo.registry import scan
from train import experiments
from train.data import UNSEEN
from train.recipe import RecipeError
from train.stress import STRESSES, lungs_alone, without_borders


@pytest.fixture
def films():
    rng = np.random.default_rng(0)
    images = rng.integers(40, 200, (4, 64, 64, 1), dtype=np.uint8)
    masks = np.zeros_like(images)
    masks[:3, 20:44, 16:48] = 255
    return images, masks


@pytest.mark.parametrize("name", STRESSES)
def test_stress_changes_films_the_same_way_each_time(name, films):
    before = films[0].copy()
    changed = STRESSES[name](*films)
    np.testing.assert_array_equal(films[0], before)
    assert changed.dtype == np.uint8
    assert changed.shape == before.shape
    assert not np.array_equal(changed, before)
    np.testing.assert_array_equal(STRESSES[name](*films), changed)


def test_lungs_alone_keeps_the_lungs_and_what_has_no_mask(films):
    changed = lungs_alone(*films)
    np.testing.assert_array_equal(changed[:3, 20:44, 16:48], films[0][:3, 20:44, 16:48])
    np.testing.assert_array_equal(changed[3], films[0][3])
    assert np.ptp(changed[0, :12]) == 0


def test_without_borders_keeps_the_middle(films):
    changed = without_borders(*films)
    np.testing.assert_array_equal(changed[:, 10:-10, 10:-10], films[0][:, 10:-10, 10:-10])
    assert np.ptp(changed[0, 0]) == 0


def test_an_unknown_experiment_is_named_before_anything_is_fitted(tmp_path):
    with pytest.raises(RecipeError, match="'nothing'"):
        experiments.run(["hard", "nothing"], tmp_path, None)
    assert not list(tmp_path.iterdir())


def test_no_experiment_can_see_what_it_is_judged_on():
    for experiment in experiments.EXPERIMENTS.values():
        assert experiment.recipe.held_out in UNSEEN
        assert experiment.recipe.seed == 0, "all have the same validation films"


@pytest.mark.parametrize("kind", experiments.UNSEEN_KINDS)
def test_a_page_without_one_kind_of_unseen_films_is_refused(kind, tmp_path, monkeypatch):
    rows = experiments.read_rows()
    others = [name for name, own in experiments.EXPERIMENTS.items() if own.recipe.held_out != kind]
    rows[rows["experiment"].isin(others)].to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setattr(experiments, "ROWS", tmp_path / "rows.csv")
    with pytest.raises(RecipeError, match=f"none by {kind}"):
        experiments.write_experiments({}, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_rows_are_whole():
    rows = experiments.read_rows()
    assert tuple(rows.columns) == experiments.ROW
    assert set(rows["experiment"]) <= set(experiments.EXPERIMENTS)
    assert rows.notna().all(axis=None)
    for (name, _), own in rows.groupby(["experiment", "repeat"]):
        epochs = sum(stage.epochs for stage in experiments.EXPERIMENTS[name].recipe.stages)
        assert list(own["epoch"]) == list(range(1, epochs + 1))


def test_the_page_is_what_the_command_writes(tmp_path):
    fresh = experiments.write_experiments(scan()[0], tmp_path / "experiments.md")
    assert experiments.PAGE.read_text(encoding="utf-8") == fresh, "run `python -m train experiments --write-only`"


def test_what_is_missing_is_what_has_too_few_rows(monkeypatch):
    first, second, *_ = experiments.EXPERIMENTS
    rows = pd.DataFrame({"experiment": [first] * 2, "repeat": [0, 0], "epoch": [1, 2]})
    monkeypatch.setattr(experiments, "read_rows", lambda: rows)
    missing = experiments.missing()
    assert second in missing
    assert (first in missing) == (experiments.EXPERIMENTS[first].repeats > 1)

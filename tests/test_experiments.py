"""Experiments towards the champion: stress that can be repeated, and a page made from rows."""

import json
import re

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import save_network
from sklearn.metrics import log_loss, roc_auc_score

from cases.collections import open_collection
from cases.collections.base import CollectionUnavailable
from model_zoo.registry import scan
from train import candidates, experiments
from train.data import UNSEEN, ImageSet, load_images
from train.recipe import RecipeError, load_recipe
from train.rows import put_rows
from train.stress import STRESSES, judged, lungs_alone, without_borders


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


def test_what_the_words_compare_was_run_as_often_as_a_claim_needs():
    compared = re.findall(r"\{unseen\[(.+?)\]\}", experiments.WORDS.read_text(encoding="utf-8"))
    runs = experiments.read_rows().drop_duplicates(["experiment", "repeat"])["experiment"].value_counts()
    assert len(compared) > 5
    assert {name: runs[name] for name in compared if runs[name] < experiments.REPEATS} == {}


def test_words_that_compare_what_has_no_rows_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "WORDS", tmp_path / "words.md")
    experiments.WORDS.write_text("{unseen[mild]} in place of {unseen[milder]}")
    with pytest.raises(RecipeError, match=r"words\.md: .*Received: 'milder'\."):
        experiments.write_experiments(scan()[0], tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_a_figure_in_the_words_says_of_how_many_runs_it_is():
    runs = [("one", 0, 1, 0.5), ("one", 0, 2, 0.9), ("two", 0, 1, 0.7), ("two", 1, 1, 0.8)]
    rows = pd.DataFrame(runs, columns=["experiment", "repeat", "epoch", "unseen AUROC"])
    assert experiments.unseen_auroc(rows) == {"one": "0.900 (one run)", "two": "0.750 (2 runs, 0.700 to 0.800)"}


def test_candidates_that_cannot_be_run_again_are_named():
    lost = candidates.without_recipe()
    assert {"champion-untaught", "champion-at-224-repeat-2"} <= set(lost) <= set(candidates.CANDIDATES)
    assert {"champion", "champion-noisy-repeat-1"}.isdisjoint(lost)
    for name in lost:
        with pytest.raises(RecipeError):
            load_recipe(name)
    said = " ".join(experiments.PAGE.read_text(encoding="utf-8").split())
    assert f"{len(lost)} of these cannot be run again" in said
    assert f"any more: `{lost[0]}`, `{lost[1]}`, " in said


def test_only_runs_without_rows_are_fitted_unless_an_experiment_is_named(tmp_path, monkeypatch):
    rows = pd.DataFrame([{"experiment": name, "repeat": 0, "epoch": 1} for name in experiments.EXPERIMENTS])
    rows = pd.concat([rows, rows.assign(repeat=1), rows.assign(repeat=2)[1:]], ignore_index=True)
    fitted = []
    monkeypatch.setattr(experiments, "ROWS", tmp_path / "rows.csv")
    monkeypatch.setattr(experiments, "read_rows", lambda: rows)
    monkeypatch.setattr(experiments, "fit", lambda recipe, *_, **__: fitted.append((recipe.id, recipe.repeat)))
    monkeypatch.setattr(experiments, "_scored", lambda recipe, folder: rows[:0])
    first, second, *_ = experiments.EXPERIMENTS

    experiments.run([], tmp_path, None)
    assert fitted == [(first, 2)]
    experiments.run([second], tmp_path, None)
    assert fitted[1:] == [(second, 0), (second, 1), (second, 2)]


def test_rows_that_another_process_adds_meanwhile_stay(tmp_path, monkeypatch):
    """Each of two processes runs an experiment; the other's rows are there before this one's are computed."""
    monkeypatch.setattr(experiments, "ROWS", tmp_path / "rows.csv")
    monkeypatch.setattr(experiments, "fit", lambda *_, **__: None)
    first, second, *_ = experiments.EXPERIMENTS

    def scored(recipe, folder):
        found = pd.DataFrame([{"experiment": recipe.id, "repeat": recipe.repeat, "epoch": 1, "seconds": 1 / 3}])
        if recipe.id == first:
            other = experiments.EXPERIMENTS[second].recipe
            experiments.put_rows(scored(other, folder), experiments.ROWS, ("experiment", "repeat"))
        return found

    monkeypatch.setattr(experiments, "_scored", scored)
    monkeypatch.setattr(experiments, "REPEATS", 1)
    rows = experiments.run([first], tmp_path, None)
    assert list(rows["experiment"]) == [second, first]
    assert list(experiments.run([first], tmp_path, None)["experiment"]) == [second, first]
    assert set(rows["seconds"]) == {0.33333}


def test_putting_rows_again_leaves_all_others_as_they_were(tmp_path):
    for module, key in ((experiments, ("experiment", "repeat")), (candidates, ("candidate",))):
        lines = module.ROWS.read_text().splitlines()
        path = tmp_path / module.ROWS.name
        path.write_text(module.ROWS.read_text())
        rows = module.read_rows()
        own = (rows[list(key)] == rows[list(key)].iloc[0]).all(axis=1)
        put_rows(rows[own], path, key)
        assert path.read_text().splitlines() == [lines[0], *lines[1 + own.sum() :], *lines[1 : 1 + own.sum()]]


def test_a_network_is_judged_on_the_films_of_its_own_split(few_phantoms, tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "ROWS", tmp_path / "candidates.csv")
    monkeypatch.setattr(candidates, "load_recipe", lambda model_id: load_recipe(model_id, quick=True))
    names = ["champion", "champion-repeat-1"]
    development = [entry for entry in open_collection("phantom").entries() if entry.split != "test"]
    held_out = development[:6] + development[-6:]
    assert {entry.label for entry in held_out} == {0, 1}
    for seed, name in enumerate(names):
        save_network(tmp_path / name, seed=seed)
        (tmp_path / name / "model.keras").rename(tmp_path / name / "trained.keras")
        (tmp_path / name / "split.json").write_text(json.dumps({"validation": [entry.id for entry in held_out]}))
    rows = candidates.judge(names, tmp_path)
    assert list(rows["candidate"]) == names
    pd.testing.assert_frame_equal(candidates.read_rows(), rows)
    network = keras.models.load_model(tmp_path / "champion" / "trained.keras", compile=False)
    films = load_images(open_collection("phantom"), held_out, 32, 1)
    area = roc_auc_score(films.labels, network.predict(films.images, verbose=0)[:, 0])
    assert rows["plain AUROC"].iloc[0] == pytest.approx(area, abs=1e-5)
    candidates.judge(names[:1], tmp_path)
    assert sorted(candidates.read_rows()["candidate"]) == names, "a second time takes the place of the first"
    (tmp_path / "champion" / "split.json").write_text(json.dumps({"validation": ["train/lost", held_out[0].id]}))
    with pytest.raises(CollectionUnavailable, match="1 of them missing, train/lost among them"):
        candidates.judge(names[:1], tmp_path)
    *lines, mean = candidates.candidates_table().splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == names
    areas = [float(line.split(" | ")[2]) for line in (*lines, mean)]
    assert mean.startswith("| mean of 2 | `champion` and its repeats |")
    assert areas[2] == pytest.approx((areas[0] + areas[1]) / 2, abs=1e-4)


def mean_gray() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 20)(inputs)))


def of_gray(gray: np.ndarray) -> np.ndarray:
    return np.broadcast_to(gray[:, np.newaxis, np.newaxis, np.newaxis], (len(gray), 8, 8, 1))


def test_criteria_are_of_calibrated_probabilities():
    """A network that answers with a film's mean gray; under stress each film is another one."""
    network = mean_gray()
    gray = np.arange(40, 200, 4, dtype=np.uint8)
    films = of_gray(gray)
    labels = (gray + np.tile([-30, 0, 30, 10], 10) > 120).astype(np.float32)
    stressed = {"exposure": films[::-1], "lungs alone": np.roll(films, 7, axis=0)}
    judgement = judged(network, ImageSet(films, labels, ()), stressed)
    area, lungs_area = roc_auc_score(labels, gray), roc_auc_score(labels, np.roll(gray, 7))
    assert 0.5 < lungs_area < area < 1
    assert judgement.criteria["plain AUROC"] == pytest.approx(area)
    assert judgement.criteria["lungs alone AUROC"] == pytest.approx(lungs_area)
    assert judgement.criteria["stress AUROC"] == pytest.approx((1 - area + lungs_area) / 2)
    under = [judgement.plain[::-1], np.roll(judgement.plain, 7)]
    assert judgement.criteria["plain likelihood"] == pytest.approx(-log_loss(labels, judgement.plain))
    assert judgement.criteria["stress likelihood"] == pytest.approx(-np.mean([log_loss(labels, p) for p in under]))
    assert judgement.plain.mean() == pytest.approx(labels.mean(), abs=0.02)
    change = np.mean([np.abs(p - judgement.plain) for p in under])
    assert judgement.criteria["agreement"] == pytest.approx(-change)
    np.testing.assert_allclose(judgement.probabilities(films), judgement.plain)


def test_unseen_films_are_called_by_the_operating_point_of_the_plain_ones():
    recipe = experiments.EXPERIMENTS["hard"].recipe
    gray = np.arange(40, 200, 4, dtype=np.uint8)
    labels = (gray + np.tile([-30, 0, 30, 10], 10) > 120).astype(np.float32)
    brighter = gray + np.uint8(42)
    plain, unseen = ImageSet(of_gray(gray), labels, ()), ImageSet(of_gray(brighter), labels, ())
    measured = experiments._measured(mean_gray(), recipe, plain, {"lungs alone": plain.images}, unseen)
    cut = max(g for g in gray if np.mean(gray[labels == 1] >= g) >= recipe.target_sensitivity)
    assert measured["unseen accuracy"] == pytest.approx(np.mean((brighter >= cut) == labels))
    assert measured["unseen AUROC"] == pytest.approx(roc_auc_score(labels, brighter))


@pytest.mark.parametrize(("name", "received"), [("nothing", "'nothing'"), ("champion", "no trained.keras")])
def test_what_cannot_be_judged_is_named_before_any_is(name, received, tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "ROWS", tmp_path / "candidates.csv")
    with pytest.raises(RecipeError, match=received):
        candidates.judge([name], tmp_path)
    assert not candidates.ROWS.exists()


def test_rows_of_candidates_are_whole():
    rows = candidates.read_rows()
    assert tuple(rows.columns) == candidates.ROW
    assert set(rows["candidate"]) == set(candidates.CANDIDATES)
    assert not rows["candidate"].duplicated().any()
    assert rows.notna().all(axis=None)

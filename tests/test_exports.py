"""Every export in the repository keeps the contract: safe to load, described, and with figures that repeat."""

import dataclasses
import zipfile

import numpy as np
import pandas as pd
import pytest
from conftest import reference_gradcams

from model_zoo import audit, evaluation, looking, shortcuts
from model_zoo.registry import EXPORTS, readers, scan

EXPORTED, PROBLEMS = scan()
READERS = sorted(readers(EXPORTED))
BASELINES = sorted(set(EXPORTED) - set(READERS))
COMMITTEES = sorted(model_id for model_id, export in EXPORTED.items() if export.is_committee)
MEGABYTE = 1_000_000


def test_no_export_is_broken():
    assert PROBLEMS == {}
    assert EXPORTED, "the repository should come with trained models"


def test_all_exports_together_fit_the_budget():
    files = [path for path in EXPORTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 200 * MEGABYTE


@pytest.fixture(params=sorted(EXPORTED), scope="module")
def export(request):
    return EXPORTED[request.param]


@pytest.fixture(params=READERS, scope="module")
def reader(request):
    return EXPORTED[request.param]


@pytest.fixture(scope="module")
def network(reader):
    if not reader.is_network:
        pytest.skip("has no weights of its own")
    return reader


@pytest.fixture(scope="module")
def engine(reader):
    """Loaded once for all tests of an export: the largest takes seconds."""
    from model_zoo.committee import open_engine

    return open_engine(reader)


def test_model_loads_in_safe_mode_with_keras_s_own_layers(engine, network):
    assert all(layer.__class__.__module__.startswith("keras.") for layer in engine.model._flatten_layers())
    assert engine.model.count_params() == network.card.weights.parameters


def test_file_is_small_and_the_card_knows_its_size(network):
    assert network.model_path.stat().st_size == network.card.weights.bytes <= 75 * MEGABYTE
    assert set(zipfile.ZipFile(network.model_path).namelist()) == {"metadata.json", "config.json", "model.weights.h5"}


def test_rounding_the_weights_left_the_ranking_alone(network):
    assert abs(network.card.weights.auroc_shift) <= 0.001
    assert 1 <= network.card.weights.mantissa_bits <= 23


def test_its_recipe_still_says_how_it_was_trained(network):
    from train.recipe import completed, load_recipe

    assert completed(network.card.recipe) == load_recipe(network.id).hyperparameters()


def test_own_and_phantom_predictions_are_stored(export):
    own = export.card.data.collection
    # A phantom has no size at which it was published.
    phantoms = {"phantom-test"} if export.sees_pixels else set()
    assert {f"{own}-test", f"{own}-validation", *phantoms} <= set(export.prediction_sets())


@pytest.mark.parametrize("model_id", COMMITTEES)
def test_a_committee_holds_no_weights_and_was_calibrated_on_what_every_member_held_out(model_id):
    export = EXPORTED[model_id]
    assert not (export.folder / "model.keras").exists()
    name = export.card.threshold.chosen_on
    rows = export.predictions(name).set_index("image_id").sort_index()
    for member in export.members:
        held_out = member.predictions(name).set_index("image_id")
        columns = ["patient_id", "label", "subtype"]
        pd.testing.assert_frame_equal(rows[columns], held_out.loc[rows.index, columns])


@pytest.mark.parametrize("model_id", BASELINES)
def test_a_baseline_holds_no_weights_and_judges_the_same_images_as_a_network(model_id):
    export = EXPORTED[model_id]
    assert not (export.folder / "model.keras").exists()
    peer = EXPORTED[export.card.recipe["split_as"]]
    for name in export.prediction_sets():
        images = [model.predictions(name).set_index("image_id").sort_index() for model in (export, peer)]
        columns = ["patient_id", "label", "subtype"]
        pd.testing.assert_frame_equal(images[0][columns], images[1][columns])


def test_summary_on_the_card_equals_the_rows(export):
    assert set(export.card.metrics) == set(export.prediction_sets())
    for name, stored in export.card.metrics.items():
        assert evaluation.summarise(export.predictions(name), export.card.threshold.value) == stored


def test_nothing_was_chosen_on_test_images(export):
    card = export.card
    assert card.threshold.chosen_on == f"{card.data.collection}-validation"
    validation = export.predictions(card.threshold.chosen_on)
    test = export.predictions(f"{card.data.collection}-test")
    assert not set(validation["image_id"]) & set(test["image_id"])
    assert not validation["image_id"].str.startswith("test/").any()
    assert len(card.data.test_read) >= 1


def test_counts_on_the_card_are_those_of_the_rows(export):
    card = export.card
    for part in ("validation", "test"):
        rows = export.predictions(f"{card.data.collection}-{part}")
        counts = card.data.counts[part]
        assert (counts["images"], counts["pneumonia"]) == (len(rows), int(rows["label"].sum()))
        assert counts["patients"] == rows["patient_id"].nunique()


def test_kermany_exports_are_reported_on_the_official_test_split(export):
    if export.card.data.collection != "chest_xray":
        pytest.skip("trained on another collection")
    rows = export.predictions("chest_xray-test")
    assert (len(rows), int(rows["label"].sum())) == (624, 390)
    assert rows["image_id"].str.match(r"test/(NORMAL|PNEUMONIA)/[^/]+\.jpeg$").all()
    assert (rows["subtype"] == "bacteria").sum() == 242


def test_phantom_rows_are_of_the_phantoms_that_this_version_makes(reader, phantoms):
    rows = reader.predictions("phantom-test")
    entries = {entry.id: entry for entry in phantoms.entries("test")}
    assert list(rows["image_id"]) == list(entries)
    assert list(rows["label"]) == [entry.label for entry in entries.values()]


def test_phantom_scores_repeat(engine, reader, phantoms):
    """The stored rows are what this export says of the phantoms as they are generated now."""
    rows = reader.predictions("phantom-test").iloc[::25]
    received = list(engine.probabilities(phantoms.load(image_id).pixels for image_id in rows["image_id"]))
    pd.testing.assert_series_equal(
        pd.Series(received), rows["probability"].reset_index(drop=True), check_names=False, atol=0.01
    )


def test_answers_on_films_with_nothing_blanked_are_the_predictions(network):
    if not shortcuts.sets(network):
        pytest.skip("not measured on blanked films yet")
    for name in shortcuts.sets(network):
        rows = shortcuts.read_shortcuts(network, name)
        whole = rows[rows["change"] == shortcuts.NOTHING].set_index("image_id")
        predictions = network.predictions(name).set_index("image_id")
        pd.testing.assert_frame_equal(
            whole[["patient_id", "label", "probability"]],
            predictions.loc[whole.index, ["patient_id", "label", "probability"]],
            atol=0.01,
            check_names=False,
        )
        assert len(rows) == len(predictions) * len(shortcuts.CHANGES)


def test_maps_and_logits_agree_with_tf_keras_vis_and_the_whole_model(engine, network, phantoms):
    chosen = phantoms.entries("test")[:4]
    images = np.stack([engine.input(phantoms.load(entry.id).pixels) for entry in chosen])
    explanations = engine.explain(images)
    np.testing.assert_allclose(engine.logits(images), engine.model.predict(images, verbose=0)[:, 0], atol=1e-3)
    for direction, expected in reference_gradcams(engine, images).items():
        received = np.stack([explanation.evidence(direction) for explanation in explanations])
        assert expected.max() > 0
        assert np.corrcoef(expected.ravel(), received.ravel())[0, 1] >= 0.999
        assert np.abs(expected - received).max() <= 0.01 * expected.max()


def test_history_covers_every_epoch(network):
    history = pd.read_csv(network.folder / "history.csv")
    assert list(history["epoch"]) == list(range(1, network.card.training.epochs + 1))
    assert {"stage", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(history.columns)


@pytest.mark.parametrize("name", ["chest_xray-test", "phantom-test"])
def test_the_audit_of_methods_agrees_with_the_rows_of_all_images(network, name):
    """Grad-CAM is in both, measured apart: rows of other weights or other images would differ."""
    if not audit.rows_path(network, name).exists():
        pytest.skip("its methods were not measured yet")
    rows = audit.read_audit(network, name)
    assert not rows.duplicated(["image_id", "method"]).any()
    assert (rows.groupby("method")["image_id"].nunique() == rows["image_id"].nunique()).all()
    assert rows["image_id"].nunique() == rows["patient_id"].nunique()
    gradcam = rows[rows["method"] == "gradcam"].set_index("image_id")
    all_images = looking.read_looking(network, name).set_index("image_id").loc[gradcam.index]
    columns = ["patient_id", *looking.MEASURES]
    pd.testing.assert_frame_equal(gradcam[columns], all_images[columns], atol=1e-3)


def test_champion_looks_at_the_lungs_on_real_films():
    """At least three quarters of its evidence, interval included, on all test films with pneumonia."""
    rows = looking.read_looking(EXPORTED["champion"], "chest_xray-test")
    tested = EXPORTED["champion"].predictions("chest_xray-test")
    assert set(rows["image_id"]) == set(tested.loc[tested["label"] == 1, "image_id"])
    assert looking.estimates(rows)["in_lungs"].low >= 0.75


def test_a_reader_learns_the_limits_and_the_source(export):
    card = export.card
    assert card.limits
    assert card.summary
    assert card.data.licence
    assert card.training.versions


def test_readme_shows_the_figures_of_the_rows():
    from cases.settings import PROJECT_ROOT
    from train.results import models_table

    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- models:begin (python -m train list --markdown) -->\n")[1].split("<!-- models:end -->")[0]
    assert table == models_table(EXPORTED), "run `python -m train list --markdown` and paste its table into README.md"


def test_results_page_is_what_compare_writes(tmp_path):
    from train.recipe import load_recipe, recipe_ids
    from train.results import RESULTS, write_results

    fresh = write_results(map(load_recipe, recipe_ids()), EXPORTED, tmp_path / "results.md")
    assert RESULTS.read_text(encoding="utf-8") == fresh, "run `python -m train compare`"


def test_results_mark_what_began_from_random_weights():
    from train.recipe import load_recipe
    from train.results import compared_table

    recipes = [load_recipe(name) for name in ("mobilenetv2", "resnet34", "resnet50-bn")]
    lines = compared_table(recipes, EXPORTED).splitlines()[2:]
    marked = {line.split("`")[1]: line.split("|")[-2].strip() for line in lines}
    assert marked == {"mobilenetv2": "", "resnet34": "yes", "resnet50-bn": "yes"}


def test_results_say_of_each_figure_beside_a_published_one_whether_it_is_met():
    from train.recipe import load_recipe
    from train.results import compared_table

    recipe = load_recipe("resnet50-bn")
    (auroc, _, _) = EXPORTED[recipe.id].card.metrics["chest_xray-test"]["auroc"]
    for claim, verdict in ((auroc - 1e-6, "beaten"), (auroc, "met"), (auroc + 1e-6, "missed")):
        claimed = dataclasses.replace(recipe.reference, claims={"auroc": claim})
        (line,) = compared_table([dataclasses.replace(recipe, reference=claimed)], EXPORTED).splitlines()[2:]
        assert line.split("|")[-3].strip() == verdict


def test_results_say_what_recipes_do_otherwise_than_the_work_that_they_follow():
    from train.recipe import load_recipe, recipe_ids
    from train.results import departures

    said = " ".join(departures(map(load_recipe, recipe_ids())).split())
    assert "- `resnet34`: Its two cycles both train all layers, from random weights." in said
    for name in recipe_ids():
        recipe = load_recipe(name)
        assert (f"- `{name}`: " in said) == bool(recipe.reference and recipe.departs)
    assert departures([load_recipe("cnn8")]) == ""


def test_results_say_how_often_the_test_split_was_read():
    from train.results import readings

    said = " ".join(readings(EXPORTED).split())
    for model_id in ("champion", "resnet50-bn", "vgg16-weighted"):
        (first, *_) = (limit for limit in EXPORTED[model_id].card.limits if "was read on the test split" in limit)
        assert f"- `{model_id}`: {first}" in said
    assert said.count("`champion`:") == 1, "a committee's card repeats what its members' say"
    assert "- `committee`: What is said of `champion` and `vgg16-weighted` holds for it too" in said
    export = EXPORTED["cnn8"]
    assert readings({"cnn8": export}) == ""
    pair = dataclasses.replace(EXPORTED["committee"], members=(EXPORTED["champion"], export))
    assert readings({"pair": pair}) == "- `pair`: What is said of `champion` holds for it too."
    assert readings({"pair": dataclasses.replace(pair, members=(export, export))}) == ""
    twice = dataclasses.replace(export.card.data, test_read=("2026-11-21", "2026-11-22"))
    again = dataclasses.replace(export, card=dataclasses.replace(export.card, data=twice))
    assert readings({"cnn8": again}) == "- By the dates on the cards, `evaluate` has read `cnn8` 2 times."


def test_explanations_page_is_what_audit_writes(tmp_path):
    from model_zoo.lungs.card import read_lung_card
    from train.audit import PAGE, write_explanations

    fresh = write_explanations(
        [EXPORTED[model_id] for model_id in READERS], read_lung_card(), tmp_path / "explanations.md"
    )
    assert PAGE.read_text(encoding="utf-8") == fresh, "run `python -m train audit --write-only`"

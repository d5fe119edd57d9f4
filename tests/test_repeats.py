"""Repeats: the same recipe trained again, kept as card and rows beside the model that they repeat."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import tiny_training
from conftest import make_card
from test_evidence_pages import PERFORMANCE, root, visit  # noqa: F401

from cases.collections import COLLECTIONS
from model_zoo import evaluation
from model_zoo.card import write_card
from model_zoo.registry import EXPORTS, ExportError, open_export, scan
from model_zoo.repeats import FIGURES, figures_of_runs
from train.export import evaluate, export
from train.fit import fit
from train.repeats import keep_repeat

RECIPE = replace(tiny_training.RECIPE, stages=tiny_training.RECIPE.stages[:1])
AGAIN = replace(RECIPE, id="tiny-repeat-1", repeat=1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of the runs tiny and tiny-repeat-1."""
    COLLECTIONS["blobs"] = tiny_training.Blobs
    folder = tmp_path_factory.mktemp("runs")
    for recipe in (RECIPE, AGAIN):
        fit(recipe, folder / recipe.id)
    yield folder
    del COLLECTIONS["blobs"]


@pytest.fixture
def exports(runs, tmp_path):
    """A folder of exports with tiny alone, evaluated."""
    evaluate(export(RECIPE, runs / "tiny", tmp_path / "exports"), "blobs")
    return tmp_path / "exports"


def test_card_and_rows_are_kept_and_the_model_stays_as_it_was(runs, exports):
    before = open_export("tiny", exports).card
    kept = keep_repeat(AGAIN, runs / AGAIN.id, exports)
    found, problems = scan(exports)
    assert (list(found), problems) == (["tiny"], {})
    assert found["tiny"].card == before
    (repeat,) = found["tiny"].repeats
    assert repeat == kept
    assert repeat.id == AGAIN.id
    assert repeat.card.recipe == {**before.recipe, "repeat": 1}
    assert len(repeat.card.data.test_read) == 1
    for name in ("blobs-validation", "blobs-test"):
        rows, own = repeat.predictions(name), found["tiny"].predictions(name)
        assert list(rows["image_id"]) == list(own["image_id"])
        assert not rows["probability"].equals(own["probability"]), "other draws give other weights"
        assert repeat.card.metrics[name] == evaluation.summarise(rows, repeat.card.threshold.value)
    assert not list(exports.rglob("repeats/**/*.keras"))
    with pytest.raises(ExportError, match="no such file"):
        repeat.verified_model_path()


def test_a_second_time_takes_the_place_of_the_first(runs, exports):
    for _ in range(2):
        keep_repeat(AGAIN, runs / AGAIN.id, exports)
    assert [repeat.id for repeat in open_export("tiny", exports).repeats] == [AGAIN.id]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "tiny", "repeat": 0}, "Expected a repeat, such as tiny-repeat-1. Received: 'tiny'."),
        ({"weight_decay": 0.5, "batch_size": 2}, "Received: another batch_size, weight_decay."),
        ({"id": "other-repeat-1"}, "Received: 'other'"),
    ],
)
def test_what_repeats_no_export_is_refused(runs, exports, changes, message):
    with pytest.raises(ExportError) as error:
        keep_repeat(replace(AGAIN, **changes), runs / AGAIN.id, exports)
    assert message in str(error.value)
    assert not (exports / "tiny" / "repeats").exists()


def test_an_unfinished_run_and_another_start_are_refused(runs, exports, tmp_path):
    with pytest.raises(ExportError, match="`fit` first"):
        keep_repeat(AGAIN, tmp_path / "nothing", exports)
    card = exports / "tiny" / "card.json"
    fields = json.loads(card.read_text())
    fields["weights"]["started_from"] = "elsewhere"
    card.write_text(json.dumps(fields))
    with pytest.raises(ExportError, match=r"started from elsewhere\. Received: one from random"):
        keep_repeat(AGAIN, runs / AGAIN.id, exports)
    assert not (exports / "tiny" / "repeats").exists()


def test_a_card_from_before_a_setting_means_its_default(runs, exports):
    card = exports / "tiny" / "card.json"
    content = json.loads(card.read_text())
    for settings, later in ((content["recipe"], "teachers"), (content["recipe"]["stages"][0], "hints")):
        del settings[later]
    card.write_text(json.dumps(content))
    assert keep_repeat(AGAIN, runs / AGAIN.id, exports).id == AGAIN.id
    content["recipe"]["teacher"] = "another"
    card.write_text(json.dumps(content))
    with pytest.raises(ExportError, match="Received: another teachers"):
        keep_repeat(AGAIN, runs / AGAIN.id, exports)


def add_repeat(folder, rows: pd.DataFrame, name: str, threshold: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    card = make_card(folder)
    card = replace(
        card,
        threshold=replace(card.threshold, value=threshold),
        metrics={name: evaluation.summarise(rows, threshold)},
    )
    write_card(card, folder / "card.json")


def test_a_broken_repeat_is_named_and_its_model_works(runs, exports):
    keep_repeat(AGAIN, runs / AGAIN.id, exports)
    (exports / "tiny" / "repeats" / AGAIN.id / "card.json").write_text("{")
    found, problems = scan(exports)
    assert found["tiny"].repeats == ()
    assert list(problems) == [AGAIN.id]


def test_the_page_performance_lists_the_runs_and_their_mean(root):  # noqa: F811
    name, alpha = "chest_xray-test", root / "alpha"
    rows = pd.read_csv(alpha / "predictions" / f"{name}.csv", keep_default_na=False)
    others = rows.assign(probability=1 - rows["probability"])
    add_repeat(alpha, rows, name, 0.4)
    assert "The same training again" not in [heading.value for heading in visit(PERFORMANCE, model="alpha").header]
    add_repeat(alpha / "repeats" / "alpha-repeat-1", others, name, 0.7)
    app = visit(PERFORMANCE, model="alpha", set=name)
    assert "The same training again" in [heading.value for heading in app.header]
    (table,) = [table.value for table in app.table if "mean" in table.value.columns]
    assert list(table.columns) == ["this model", "repeat-1", "mean"]
    area = evaluation.auroc(rows)
    assert table.loc["AUROC"].tolist() == [f"{area:.4f}", f"{1 - area:.4f}", "0.5000"]
    accuracy = evaluation.estimates(others, 0.7)["accuracy"].value
    assert table.loc["Accuracy", "repeat-1"] == f"{accuracy:.4f}"
    assert "The same training again" not in [
        heading.value for heading in visit(PERFORMANCE, model="alpha", set="phantom-test").header
    ]


def test_repeats_in_the_repository_are_of_their_model_and_say_what_their_rows_say():
    for model in scan(EXPORTS)[0].values():
        for repeat in model.repeats:
            assert repeat.id.startswith(f"{model.id}-repeat-")
            assert repeat.card.recipe == {**model.card.recipe, "repeat": int(repeat.id.rpartition("-")[2])}
            assert repeat.card.weights.started_from == model.card.weights.started_from
            assert len(repeat.card.data.test_read) == 1
            for name, stored in repeat.card.metrics.items():
                rows = repeat.predictions(name)
                assert list(rows["image_id"]) == list(model.predictions(name)["image_id"])
                assert evaluation.summarise(rows, repeat.card.threshold.value) == stored
        runs = figures_of_runs(model, "chest_xray-test")
        assert list(runs.columns) == list(FIGURES)
        assert len(runs) == (1 + len(model.repeats) if model.repeats else 0)

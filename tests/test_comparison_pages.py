"""The pages Compare models and Training, driven through AppTest on exports made here. No data folder is needed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from conftest import make_card
from sklearn.metrics import roc_auc_score
from streamlit.testing.v1 import AppTest

from model_zoo import comparison, evaluation
from model_zoo.card import Data, Reference, Training, Weights, write_card
from model_zoo.history import HISTORY_COLUMNS
from model_zoo.predictions import COLUMNS, read_predictions, write_predictions
from views.shared import cache, evidence
from views.shared.figures import comparison as figures
from views.shared.figures import history as history_figures

ROOT = Path(__file__).resolve().parent.parent
COMPARE, TRAINING = "views/evidence/compare.py", "views/evidence/training.py"
TEST = "chest_xray-test"
OFFICIAL = "official test split of 624 images"
STAGES = [
    {"name": "first", "epochs": 2, "learning_rate": 0.002, "warmup": 0.5, "trainable": "head"},
    {"name": "second", "epochs": 2, "learning_rate": 0.001, "warmup": 0.5, "trainable": "all"},
]
AUGMENTATION = {"horizontal_flip": True, "rotation": 5, "zoom": [1.0, 1.0], "noise": 0.0}


def xray_rows(seed: int, skill: float = 2.2, images: int = 120) -> pd.DataFrame:
    """Rows of two images a patient with invented probabilities, right the more often the greater the skill."""
    labels = [int(i % 3 > 0) for i in range(images)]
    noise = np.random.default_rng(seed).normal(size=images)
    probability = 1 / (1 + np.exp(-(noise + skill * (np.array(labels) - 0.6))))
    rows = [
        (f"test/{i}.jpeg", f"test/p{i // 2}", label, "virus" if label else "", p)
        for i, (label, p) in enumerate(zip(labels, probability, strict=True))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def add_export(folder: Path, rows: dict[str, pd.DataFrame], **changes) -> None:
    folder.mkdir(parents=True)
    counts = {"training": {"images": 40, "patients": 20}}
    settings = {
        "data": Data("chest_xray", "whole patients apart", "CC BY 4.0", counts),
        "recipe": {"batch_size": 4, "stages": STAGES, "augmentation": AUGMENTATION},
        "training": Training("a quiet machine", 40.0, 4, {}),
        **changes,
    }
    write_card(make_card(folder, **settings), folder / "card.json")
    for name, table in rows.items():
        write_predictions(table, folder / "predictions" / f"{name}.csv")
    history = [
        (1, "first", 0.002, 0.7, 0.6, 0.8, 0.55, 9.0),
        (2, "first", 0.0, 0.5, 0.7, 0.4, 0.75, 8.0),
        (3, "second", 0.001, 0.4, 0.8, 0.3, 0.85, 12.0),
        (4, "second", 0.0, 0.3, 0.9, 0.35, 0.8, 11.0),
    ]
    pd.DataFrame(history, columns=list(HISTORY_COLUMNS)).to_csv(folder / "history.csv", index=False)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with three exports, in place of the repository's own; the third has no rows of X-rays."""
    root = tmp_path / "exports"
    weights = Weights("ImageNet", "", 2_500_000, 1_234_567, 10, 0.0)
    reference = Reference("A paper", {"accuracy": 0.82, "validation_accuracy": 0.9, "F1": 0.8}, OFFICIAL)
    sets = {TEST: xray_rows(1, skill=1.2), "chest_xray-validation": xray_rows(7)}
    add_export(root / "alpha", sets, title="Alpha", weights=weights, reference=reference)
    reference = Reference("A blog", {"accuracy": 0.7}, "ten folds")
    add_export(root / "beta", {TEST: xray_rows(2, skill=3)}, title="Beta", reference=reference)
    add_export(root / "gamma", {"phantom-test": xray_rows(3)}, title="Gamma")
    monkeypatch.setattr(cache, "EXPORTS", root)
    return root


def rows_in(root: Path, model_id: str, name: str = TEST) -> pd.DataFrame:
    return read_predictions(root / model_id / "predictions" / f"{name}.csv")


def visit(script: str, /, **address: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page(script)
    app.query_params.update(address)
    return healthy(app.run())


def healthy(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    return app


def text(app: AppTest) -> str:
    parts = [app.title, app.markdown, app.caption, app.info, app.warning, app.error, app.success]
    return "\n".join(element.value for part in parts for element in part).replace("\\", "")


def test_the_leaderboard_shows_the_figures_of_evaluation_best_first(root):
    app = visit(COMPARE)
    table = app.dataframe[0].value
    assert table["model"].tolist() == ["Beta", "Alpha"]
    for model_id, row in zip(("beta", "alpha"), table.to_dict("records"), strict=True):
        expected = evaluation.estimates(rows_in(root, model_id), 0.4)
        for figure, column in (("auroc", "AUROC"), ("accuracy", "accuracy"), ("ece", "ECE")):
            assert row[column] == str(expected[figure])
    assert table["parameters"].tolist() == ["100", "1,234,567"]
    assert table["started from"].tolist() == ["random initialisation", "ImageNet"]
    assert table["weights"].tolist()[1] == "2.5 MB"
    assert "1 of 3 models has no stored rows for these images: Gamma" in text(app)
    assert app.selectbox[0].options[0] == "Kermany chest X-rays (paediatric), test split"


def test_a_broken_file_is_named_and_the_others_stay(root):
    path = root / "alpha" / "predictions" / f"{TEST}.csv"
    lines = path.read_text().splitlines()
    lines[7] = lines[7].rpartition(",")[0] + ",lots"
    path.write_text("\n".join(lines))
    app = visit(COMPARE)
    assert f"{TEST}.csv, line 8, column probability" in app.warning[0].value.replace("\\", "")
    assert app.dataframe[0].value["model"].tolist() == ["Beta"]
    assert "needs two models" in text(app)
    published = next(table.value for table in app.table if "published" in table.value)
    assert published["ours"].tolist()[0] == "not computed"


def test_a_broken_card_and_no_model_are_said(root):
    (root / "alpha" / "card.json").write_text("{")
    assert "The model alpha cannot be used" in text(visit(COMPARE))
    shutil.rmtree(root / "beta" / "predictions")
    shutil.rmtree(root / "gamma" / "predictions")
    assert "No model has stored predictions" in text(visit(COMPARE))
    for model_id in ("alpha", "beta", "gamma"):
        shutil.rmtree(root / model_id)
    for page in (COMPARE, TRAINING):
        assert "no trained model" in text(visit(page))


def test_the_paired_tests_are_those_of_comparison(root):
    app = visit(COMPARE, model="alpha", other="beta")
    images = comparison.common({model_id: rows_in(root, model_id) for model_id in ("alpha", "beta")})
    positive = images["label"].to_numpy() == 1
    scores = images["alpha"].to_numpy(), images["beta"].to_numpy()
    area = comparison.auroc_difference(*scores, positive)
    pairs = comparison.mcnemar(*((score >= 0.4) == positive for score in scores))
    patients = comparison.auroc_difference_by_patient(*scores, positive, images["patient_id"].to_numpy())
    table = next(table.value for table in app.table if "another model" in table.value)
    assert table.columns.tolist() == ["one model", "another model", "difference (95% interval)", "p"]
    areas, accuracies = (
        [f"{value:.3f}" for value in two]
        for two in (
            [roc_auc_score(positive, score) for score in scores],
            [((score >= 0.4) == positive).mean() for score in scores],
        )
    )
    assert table[["one model", "another model"]].to_numpy().tolist() == [areas, areas, accuracies]
    assert table["difference (95% interval)"].tolist() == [
        f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
        for found in (area.estimate, patients, pairs.accuracy.estimate)
    ]
    expected = ["below 0.001" if p < 0.001 else f"{p:.3f}" for p in (area.p, pairs.accuracy.p)]
    assert table["p"].tolist() == [expected[0], "", expected[1]]
    told = text(app)
    assert f"on {pairs.first_only + pairs.second_only} of the 120 images, **Alpha** on {pairs.first_only}" in told
    assert "120 images are of 60 patients" in told


def test_choosing_the_other_model_swaps_the_two_and_the_address_reproduces_it(root):
    app = visit(COMPARE, model="alpha", other="beta")
    healthy(app.selectbox(key="address.model").set_value("beta").run())
    assert {name: app.query_params[name] for name in ("model", "other")} == {"model": "beta", "other": "alpha"}
    healthy(app.button_group(key="address.measure").set_value("kappa").run())
    assert app.query_params == {"set": TEST, "model": "beta", "other": "alpha", "measure": "kappa"}
    again = visit(COMPARE, **app.query_params)
    assert [box.value for box in again.selectbox] == [TEST, "beta", "alpha"]
    assert not again.warning


def test_images_that_one_of_the_two_lacks_bring_another_pair_without_a_warning(root):
    for name in ("phantom-test", "random25"):
        write_predictions(xray_rows(5), root / "beta" / "predictions" / f"{name}.csv")
    write_predictions(xray_rows(6), root / "alpha" / "predictions" / "random25.csv")
    app = visit(COMPARE, set=TEST, model="beta", other="alpha")
    healthy(app.selectbox(key="address.set").set_value("random25").run())
    assert [box.value for box in app.selectbox] == ["random25", "beta", "alpha"]
    healthy(app.selectbox(key="address.set").set_value("phantom-test").run())
    assert {box.value for box in app.selectbox} == {"phantom-test", "beta", "gamma"}
    assert not app.warning


def test_models_with_different_images_are_compared_on_those_they_share(root):
    rows = rows_in(root, "alpha")
    write_predictions(rows.iloc[:90], root / "alpha" / "predictions" / f"{TEST}.csv")
    app = visit(COMPARE)
    assert "Beta: 120; Alpha: 90" in text(app)
    assert "of the 90 images" in text(app)
    write_predictions(rows.assign(image_id="other/" + rows["image_id"]), root / "alpha" / "predictions" / f"{TEST}.csv")
    assert "no image in common" in text(visit(COMPARE))


def test_labels_that_contradict_each_other_are_named(root):
    rows = rows_in(root, "alpha")
    write_predictions(rows.assign(label=1 - rows["label"]), root / "alpha" / "predictions" / f"{TEST}.csv")
    app = visit(COMPARE)
    assert "one label for test/0.jpeg" in app.error[0].value.replace("\\", "")
    assert len(app.dataframe[0].value) == 2


def test_rows_of_one_class_show_what_they_can(root):
    for model_id in ("alpha", "beta"):
        rows = rows_in(root, model_id)
        write_predictions(rows[rows["label"] == 1], root / model_id / "predictions" / f"{TEST}.csv")
    app = visit(COMPARE)
    assert app.dataframe[0].value["AUROC"].tolist() == ["none", "none"]
    assert "Only one kind is here" in text(app)
    assert "AUROC cannot be compared" in text(app)


def test_models_that_rank_a_few_films_without_a_mistake_are_not_told_apart(root):
    for model_id, ill in (("alpha", 0.8), ("beta", 0.5)):
        rows = rows_in(root, model_id).groupby("label").head(3)
        write_predictions(
            rows.assign(probability=rows["label"] * (ill - 0.5) + 0.5), root / model_id / "predictions" / f"{TEST}.csv"
        )
    told = text(visit(COMPARE))
    assert "has no answer where each model ranks all images of a kind alike" in told
    assert "fewer than 0.1%" not in told


def test_images_that_all_get_wrong_link_to_the_errors_page(root):
    app = visit(COMPARE)
    images = comparison.common({model_id: rows_in(root, model_id) for model_id in ("beta", "alpha")})
    wrong = comparison.all_wrong(images, comparison.calls(images, {"alpha": 0.4, "beta": 0.4}))
    listed = app.dataframe[1].value
    assert listed["image"].tolist() == wrong.index.tolist() != []
    assert f"{len(wrong)} of 120 images" in text(app)
    link = urlparse(listed["link"].iloc[0])
    assert link.path == "errors"
    view = {name: values[0] for name, values in parse_qs(link.query).items()}
    assert view == {"model": "beta", "set": TEST, "image": wrong.index[0]}
    rows = rows_in(root, "beta")
    write_predictions(rows.assign(probability=rows["label"].astype(float)), root / f"beta/predictions/{TEST}.csv")
    assert "None: every one of the 120 images" in text(visit(COMPARE))


def test_published_figures_stand_beside_ours_of_the_same_protocol(root):
    app = visit(COMPARE, set="phantom-test")
    table = next(table.value for table in app.table if "published" in table.value)
    test, validation = (
        str(evaluation.estimates(rows_in(root, "alpha", name), 0.4)["accuracy"])
        for name in (TEST, "chest_xray-validation")
    )
    assert table["ours"].tolist() == [test, validation, "not computed", "not computed"]
    assert table["published"].tolist() == ["0.820", "0.900", "0.800", "0.700"]
    assert "Beta: A blog" in text(app)


def test_one_model_s_published_figures_are_the_same_on_its_own_page(root):
    tables = [
        visit(page, model="alpha", set="phantom-test").table for page in (COMPARE, "views/evidence/performance.py")
    ]
    every, alone = (next(table.value for table in found if "published" in table.value) for found in tables)
    assert alone.reset_index().values.tolist() == every.loc["Alpha"].values.tolist()


def test_phantoms_are_called_synthetic(root):
    assert "Synthetic images" in text(visit(COMPARE, set="phantom-test"))
    assert "Synthetic images" not in text(visit(COMPARE))


def test_speed_is_measured_on_a_click_and_a_missing_model_leaves_the_others(root, tiny_export):
    shutil.copytree(tiny_export.folder, root / "tiny")
    app = visit(COMPARE)
    assert not any("milliseconds per image" in table.value for table in app.table)
    healthy(next(button for button in app.button if button.label == "Measure the speed").click().run())
    table = next(table.value for table in app.table if "milliseconds per image" in table.value)
    assert table.index.tolist() == ["Tiny"]
    assert float(table["milliseconds per image"].iloc[0]) > 0
    assert table["times the fastest"].tolist() == ["1.0"]
    assert sum("no such file" in warning.value for warning in app.warning) == 3


def test_neither_page_imports_tensorflow(root):
    code = f"""
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from views.shared import cache
cache.EXPORTS = Path({str(root)!r})
for page in {(COMPARE, TRAINING)}:
    assert not AppTest.from_file("streamlit_app.py", default_timeout=60).run().switch_page(page).run().exception
print(sorted(name for name in ("tensorflow", "keras") if name in sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "[]", result.stderr


def test_kappa_of_models_that_call_all_the_same_is_none():
    pairs = pd.DataFrame([("a", "b", 1.0, np.nan)], columns=["first", "second", "share", "kappa"])
    spec = figures.agreement_matrix(pairs, ["a", "b"], "kappa", "light").to_dict()
    (drawn,) = (row for data in spec["datasets"].values() for row in data)
    assert drawn["written"] == "none"


@pytest.mark.parametrize(("count", "on_a_phone"), [(3, True), (16, False)])
def test_agreement_is_written_only_on_tiles_that_it_fits(count, on_a_phone):
    names = [f"model {i}" for i in range(count)]
    cells = [(one, other, 0.9, 0.8) for one in names for other in names]
    pairs = pd.DataFrame(cells, columns=["first", "second", "share", "kappa"])
    spec = figures.agreement_matrix(pairs, names, "share", "light").to_dict()
    (text,) = (layer["mark"] for layer in spec["layer"] if layer["mark"]["type"] == "text")
    condition, _ = text["opacity"]["expr"].split(" ? ")
    # The widths of the tiles together at 390 and 1440 pixels, as seen in Chromium.
    assert eval(condition, {"width": 215}) is on_a_phone
    assert eval(condition, {"width": 835})


def test_a_remark_on_some_models_names_them(root, monkeypatch):
    monkeypatch.setattr(evidence, "remarks", lambda _, export: ["On all."] + ["On some."] * (export.id == "beta"))
    assert [remark.value for remark in visit(COMPARE, set=TEST).info] == ["On all.", "Beta: On some."]


def test_many_long_curves_are_told_apart_and_thinned():
    rows = xray_rows(1, images=20_000)
    curve = evaluation.roc(rows)
    assert len(curve) > 2000
    names = [f"model {i}" for i in range(14)]
    spec = figures.roc_curves(dict.fromkeys(names, curve), dict.fromkeys(names, (0.9, 0.8)), "light").to_dict()
    lines = next(layer for layer in spec["layer"] if layer["mark"].get("clip"))
    scales = [lines["encoding"][channel]["scale"] for channel in ("color", "strokeDash")]
    assert [scale["domain"] for scale in scales] == [names, names]
    assert len({(colour, tuple(dash)) for colour, dash in zip(*(s["range"] for s in scales), strict=True)}) == 14
    drawn = pd.DataFrame(next(data for data in spec["datasets"].values() if len(data) > 1000))
    assert drawn.groupby("model").size().max() <= 200


def test_training_shows_the_curves_with_their_stages(root):
    app = visit(TRAINING, model="alpha")
    told = text(app)
    assert "**4 epochs** (2 of stage “first”, then 2 of stage “second”) in **40 seconds** on a quiet machine" in told
    assert "a median of 10.0 seconds per epoch, from 8.0 to 12.0" in told
    assert "lowest, 0.300, after **epoch 3**" in told
    assert "passes through every dot" in told
    assert len(app.get("vega_lite_chart")) == 4


def test_training_figures_that_mean_something_else_are_left_out_or_explained(root):
    told = text(visit(TRAINING, model="alpha"))
    assert "teachers" not in told
    assert "mixed in pairs" not in told
    card = root / "alpha" / "card.json"
    content = json.loads(card.read_text())
    content["recipe"] |= {"teachers": ["beta"], "lung_gate": "gate", "mixup": 0.2}
    card.write_text(json.dumps(content))
    app = visit(TRAINING, model="alpha")
    assert "how far the answers were from its teachers' and how far its gate was from the true lungs." in text(app)
    assert "mixed in pairs; a mixture has no answer that is right" in text(app)
    drawn = [chart.proto.spec for chart in app.get("vega_lite_chart")]
    assert ["training images" in spec for spec in drawn] == [True, False, False, False]


def test_no_line_leads_from_one_averaged_run_to_the_next(root):
    def broken(app):
        loss, accuracy, *_ = (chart.proto.spec for chart in app.get("vega_lite_chart"))
        return ['"detail"' in spec for spec in (loss, accuracy)]

    app = visit(TRAINING, model="alpha")
    assert broken(app) == [False, False]
    assert "began with the same weights" not in text(app)
    card = root / "alpha" / "card.json"
    content = json.loads(card.read_text())
    content["recipe"]["averaged_runs"] = 2
    card.write_text(json.dumps(content))
    app = visit(TRAINING, model="alpha")
    assert broken(app) == [True, True]
    assert "Each of the 2 runs began with the same weights" in text(app)


def test_a_schedule_that_cannot_be_computed_is_not_drawn(root):
    path = root / "alpha" / "history.csv"
    path.write_text(path.read_text().replace("0.002", "0.0015"))
    assert "cannot be computed from the recipe" in text(visit(TRAINING, model="alpha"))


def test_an_edited_history_is_named_and_other_models_work(root):
    path = root / "alpha" / "history.csv"
    path.write_text(path.read_text().replace("0.55", "lots"))
    app = visit(TRAINING, model="alpha")
    assert "history.csv, line 2, column val_accuracy" in app.error[0].value.replace("\\", "")
    assert "What the network saw" in [header.value for header in app.header]
    healthy(app.selectbox[0].set_value("beta").run())
    assert not app.error
    path.write_text("\n".join(path.read_text().replace("lots", "0.55").splitlines()[:3]))
    assert "expected the card's 4 epochs" in text(visit(TRAINING, model="alpha"))


def test_augmented_samples_are_called_synthetic_and_their_absence_is_explained(root, tmp_path):
    assert "python -m train samples alpha" in text(visit(TRAINING, model="alpha"))
    shutil.copy(ROOT / "model_zoo/exports/cnn11/augmented.jpg", root / "alpha" / "augmented.jpg")
    app = visit(TRAINING, model="alpha")
    assert len(app.image) == 1
    assert "**Synthetic X-rays**" in text(app)
    assert "Stage “first” trained the head alone, on unchanged images" in text(app)
    off = {"horizontal_flip": False, "rotation": 0.0, "zoom": [1.0, 1.0], "noise": 0.0}
    add_export(root / "plain", {}, title="Plain", recipe={"batch_size": 4, "stages": STAGES, "augmentation": off})
    assert "trained without augmentation" in text(visit(TRAINING, model="plain"))
    add_export(root / "silent", {}, title="Silent", recipe={"seed": 0})
    assert "does not say" in text(visit(TRAINING, model="silent"))


def test_stages_get_a_band_and_a_name_when_there_are_two():
    rows = [(1, "one", 0.1, 1.0, 0.5, 1.0, 0.5, 3.0), (2, "two", 0.0, 0.5, 0.6, 0.7, 0.6, 4.0)]
    history = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    spec = history_figures.seconds(history, "dark").to_dict()
    bands, _, names = spec["layer"][0]["layer"]
    stages = spec["datasets"][bands["data"]["name"]]
    assert [(stage["stage"], stage["start"], stage["max"], stage["middle"]) for stage in stages] == [
        ("one", 0, 1, 0.5),
        ("two", 1, 2, 1.5),
    ]
    assert names["encoding"]["text"]["field"] == "stage"
    assert "text" not in str(history_figures.seconds(history.assign(stage="one"), "dark").to_dict()["layer"])

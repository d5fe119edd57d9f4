"""The pages performance and errors, driven through AppTest on exports made here. No data folder is needed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_card
from streamlit.testing.v1 import AppTest

from cases.collections import open_collection
from model_zoo import evaluation
from model_zoo.card import Data, Reference, write_card
from model_zoo.predictions import COLUMNS, read_predictions, write_predictions
from views.shared import cache, evidence

ROOT = Path(__file__).resolve().parent.parent
PERFORMANCE, ERRORS = "views/evidence/performance.py", "views/evidence/errors.py"
THRESHOLD = 0.4


def rows_of(ids, patients, labels, subtypes, seed) -> pd.DataFrame:
    """Rows with invented probabilities that are right more often than not."""
    noise = np.random.default_rng(seed).normal(size=len(labels))
    probability = 1 / (1 + np.exp(-(noise + 2.2 * np.array(labels) - 1.3)))
    return pd.DataFrame(zip(ids, patients, labels, subtypes, probability, strict=True), columns=list(COLUMNS))


def phantom_rows(seed: int) -> pd.DataFrame:
    entries = open_collection("phantom").entries("test")
    columns = zip(*((e.id, e.patient_id, e.label, e.subtype or "") for e in entries), strict=True)
    return rows_of(*columns, seed)


def xray_rows(seed: int) -> pd.DataFrame:
    ill = [i % 3 > 0 for i in range(120)]
    ids = [f"test/{'PNEUMONIA/person' if sick else 'NORMAL/IM-'}{i}.jpeg" for i, sick in enumerate(ill)]
    patients = [f"test/p{i // 2}" for i in range(120)]
    return rows_of(ids, patients, [int(sick) for sick in ill], ["virus" if sick else "" for sick in ill], seed)


def add_export(folder: Path, seed: int, **changes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_card(make_card(folder, **changes), folder / "card.json")
    for name, rows in (("chest_xray-test", xray_rows(seed)), ("phantom-test", phantom_rows(seed))):
        write_predictions(rows, folder / "predictions" / f"{name}.csv")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with two exports, in place of the repository's own."""
    root = tmp_path / "exports"
    counts = {"training": {"images": 4496, "patients": 2452}, "test": {"images": 120, "patients": 60}}
    add_export(
        root / "alpha",
        seed=1,
        title="Alpha",
        data=Data("chest_xray", "whole patients apart", "CC BY 4.0", counts, ("2026-01-01",)),
        reference=Reference("A paper", {"accuracy": 0.82, "F1": 0.8}, "official test split"),
    )
    add_export(root / "beta", seed=2, title="Beta", data=Data("chest_xray", "whole patients apart", "CC BY 4.0", {}))
    monkeypatch.setattr(cache, "EXPORTS", root)
    return root


def rows_in(root: Path, model_id: str, name: str) -> pd.DataFrame:
    return read_predictions(root / model_id / "predictions" / f"{name}.csv")


def visit(script: str, /, **address: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page(script)
    for name, value in address.items():
        app.query_params[name] = value
    return healthy(app.run())


def healthy(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    return app


def text(app: AppTest) -> str:
    parts = [app.title, app.markdown, app.caption, app.info, app.warning, app.error]
    return "\n".join(element.value for part in parts for element in part).replace("\\", "")


def cards(app: AppTest) -> list[str]:
    """The ids behind a gallery's thumbnails, in the order shown."""
    return [button.key.removeprefix("errors-") for button in app.button if (button.key or "").startswith("errors-")]


def charts(app: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def press(app: AppTest, label: str) -> AppTest:
    return healthy(next(button for button in app.button if button.label == label).click().run())


def test_copies_of_the_films_are_not_called_another_collection(root):
    export = cache.exports()[0]["alpha"]
    assert "These are small copies of films" in " ".join(evidence.remarks("medmnist-test", export))
    assert "another collection" in " ".join(evidence.remarks("elsewhere-test", export))
    assert not evidence.remarks("chest_xray-test", export)


@pytest.mark.parametrize("name", ["chest_xray-test", "phantom-test"])
@pytest.mark.parametrize("model_id", ["alpha", "beta"])
def test_figures_are_those_of_evaluation(root, model_id, name):
    rows = rows_in(root, model_id, name)
    app = visit(PERFORMANCE, model=model_id, set=name)
    shown = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    expected = evaluation.estimates(rows, THRESHOLD)
    for figure, title in (
        ("accuracy", "Accuracy"),
        ("sensitivity", "Sensitivity"),
        ("specificity", "Specificity"),
        ("ppv", "Positive predictive value"),
        ("npv", "Negative predictive value"),
        ("macro_recall", "Macro recall"),
        ("f1", "F1"),
        ("auroc", "AUROC"),
        ("average_precision", "Average precision"),
        ("ece", "Calibration error (ECE)"),
        ("brier", "Brier score"),
    ):
        estimate = expected[figure]
        assert shown[title] == (f"{estimate.value:.3f}", f"95%: {estimate.low:.3f} to {estimate.high:.3f}")
    # And the two predictive values at a prevalence.
    assert len(shown) == 13
    cells = evaluation.confusion(rows, THRESHOLD)
    assert f"missed **{cells.false_negatives} of {rows['label'].sum()}**" in text(app)
    assert f"**{cells.false_positives} false alarms**" in text(app)
    assert len(charts(app)) == 5


def test_test_split_comes_first_and_the_card_is_told(root):
    app = visit(PERFORMANCE)
    assert [box.label for box in app.selectbox] == ["Model", "Images"]
    assert app.selectbox[1].value == "chest_xray-test"
    told = text(app)
    for expected in ("0.400", "phantoms (synthetic), validation split", "whole patients apart", "A paper", "CC BY 4.0"):
        assert expected.lower() in told.lower()
    tables = [table.value for table in app.table]
    assert any("0.820" in table.to_string() and "not computed" in table.to_string() for table in tables)
    assert any("4,496" in table.to_string() for table in tables)


def test_figures_of_phantoms_are_called_synthetic(root):
    assert "Synthetic images" in text(visit(PERFORMANCE, set="phantom-test"))
    assert "Synthetic images" in text(visit(ERRORS, set="phantom-test"))
    assert "Synthetic images" not in text(visit(PERFORMANCE, set="chest_xray-test"))


def test_rows_of_one_class_show_what_they_can(root):
    rows = rows_in(root, "alpha", "chest_xray-test")
    write_predictions(rows[rows["label"] == 1], root / "alpha" / "predictions" / "chest_xray-test.csv")
    app = visit(PERFORMANCE)
    assert "Only one kind is here" in text(app)
    assert {metric.label: metric.value for metric in app.metric}["AUROC"] == "none"


@pytest.mark.parametrize("page", [PERFORMANCE, ERRORS])
def test_a_damaged_file_is_named_and_other_models_work(root, page):
    path = root / "alpha" / "predictions" / "chest_xray-test.csv"
    lines = path.read_text().splitlines()
    lines[7] = lines[7].rpartition(",")[0] + ",lots"
    path.write_text("\n".join(lines))
    app = visit(page, model="alpha")
    assert "chest_xray-test.csv, line 8, column probability" in app.error[0].value.replace("\\", "")
    assert "'lots'" in app.error[0].value.replace("\\", "")
    healthy(app.selectbox[0].set_value("beta").run())
    assert not app.error
    assert "beta" in app.query_params["model"]


@pytest.mark.parametrize("page", [PERFORMANCE, ERRORS])
def test_a_broken_card_is_named_and_other_models_work(root, page):
    (root / "alpha" / "card.json").write_text("{")
    app = visit(page)
    assert "alpha" in app.warning[0].value
    assert app.selectbox[0].value == "beta"


@pytest.mark.parametrize("page", [PERFORMANCE, ERRORS])
def test_no_model_and_no_rows_are_said(root, page):
    shutil.rmtree(root / "alpha")
    shutil.rmtree(root / "beta" / "predictions")
    assert "no stored predictions" in text(visit(page))
    shutil.rmtree(root / "beta")
    assert "no trained model" in text(visit(page))


@pytest.mark.parametrize("page", [PERFORMANCE, ERRORS])
def test_an_address_that_names_nothing_is_said(root, page):
    app = visit(page, model="gamma", set="../../secret")
    assert "no model gamma" in text(app)
    assert [box.value for box in app.selectbox] == ["alpha", "chest_xray-test"]


@pytest.mark.parametrize("by_link", [False, True])
def test_the_model_and_the_images_follow_to_the_next_page_and_the_outcome_does_not(root, by_link):
    if by_link:
        app = visit(ERRORS, model="beta", set="phantom-test", outcome="true negative")
    else:
        app = visit(ERRORS)
        healthy(app.selectbox[0].set_value("beta").run())
        healthy(app.selectbox[1].set_value("phantom-test").run())
        healthy(app.pills(key="address.outcome").set_value("true negative").run())
    for page in (PERFORMANCE, ERRORS):
        app.query_params.clear()
        healthy(app.switch_page(page).run())
        assert [box.value for box in app.selectbox] == ["beta", "phantom-test"]
        assert app.query_params == {}
    assert app.pills(key="address.outcome").value == "false positive"


def test_the_address_wins_over_what_was_chosen_before(root):
    app = visit(ERRORS, model="beta", set="phantom-test")
    app.query_params.clear()
    app.switch_page(PERFORMANCE)
    app.query_params["model"] = "alpha"
    healthy(app.run())
    assert [box.value for box in app.selectbox] == ["alpha", "phantom-test"]


def test_an_address_without_a_choice_that_was_made_on_the_page_undoes_it(root):
    """What the browser's Back leads to."""
    app = visit(ERRORS, model="beta", set="phantom-test")
    app.query_params.clear()
    healthy(app.switch_page(PERFORMANCE).run())
    healthy(app.selectbox[0].set_value("alpha").run())
    healthy(app.selectbox[1].set_value("chest_xray-test").run())
    assert app.query_params == {"model": "alpha", "set": "chest_xray-test"}
    app.query_params.clear()
    healthy(app.run())
    assert [box.value for box in app.selectbox] == ["beta", "phantom-test"]
    # Another page opens with what was seen last.
    healthy(app.switch_page(ERRORS).run())
    assert [box.value for box in app.selectbox[:2]] == ["beta", "phantom-test"]


def test_stored_results_do_not_import_tensorflow(root):
    code = f"""
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from views.shared import cache
cache.EXPORTS = Path({str(root)!r})
for page in {(PERFORMANCE, ERRORS)}:
    for name in ("chest_xray-test", "phantom-test"):
        app = AppTest.from_file("streamlit_app.py", default_timeout=60).run().switch_page(page)
        app.query_params["set"] = name
        assert not app.run().exception
print(sorted(name for name in ("tensorflow", "keras") if name in sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "[]", result.stderr

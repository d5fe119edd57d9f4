"""The page performance: one threshold moves all of it, its address reproduces it, and its figures can be kept."""

import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pyarrow
import pytest
import streamlit as st
from PIL import Image
from sklearn.metrics import classification_report
from test_evidence_pages import (
    PERFORMANCE,
    THRESHOLD,
    charts,
    healthy,
    press,
    root,  # noqa: F401
    rows_in,
    text,
    visit,
)

from model_zoo import evaluation
from model_zoo.calibration import at_share
from model_zoo.operating import at_sensitivity, youden
from model_zoo.predictions import write_predictions
from model_zoo.subgroups import subgroup
from views.shared import cache
from views.shared.figures import curves, performance, printed
from views.shared.performance import charts as charts_of_threshold
from views.shared.performance import report
from views.shared.performance.operating_points import operating_points

SLIDER, PREVALENCE = "performance.threshold", "performance.prevalence"


@pytest.fixture
def validated(root):  # noqa: F811
    """The exports of root, alpha with validation rows."""
    rows = rows_in(root, "beta", "phantom-test")
    write_predictions(rows, root / "alpha" / "predictions" / "phantom-validation.csv")
    return root


def data_of(app, name: str) -> pd.DataFrame:
    """The one data set of that name among the page's charts."""
    found = [item for chart in app.get("vega_lite_chart") for item in chart.proto.datasets if item.name == name]
    assert len(found) == 1
    return pyarrow.ipc.open_stream(found[0].data.data).read_pandas()


def counts(app) -> list[int]:
    return data_of(app, "cells")["images"].tolist()


def address(app) -> dict[str, str]:
    """AppTest gives lists after a run that did not write the address."""
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def metrics(app) -> dict[str, tuple[str, str]]:
    return {metric.label: (metric.value, metric.delta) for metric in app.metric}


def shows(app, rows: pd.DataFrame, threshold: float) -> bool:
    """Whether matrix, rates, histogram and sentences are those of this threshold."""
    cells, expected = evaluation.confusion(rows, threshold), evaluation.estimates(rows, threshold)
    assert counts(app) == list(vars(cells).values())
    for name, title in (("sensitivity", "Sensitivity"), ("ppv", "Positive predictive value"), ("f1", "F1")):
        estimate = expected[name]
        assert metrics(app)[title] == (f"{estimate.value:.3f}", f"95%: {estimate.low:.3f} to {estimate.high:.3f}")
    assert metrics(app)["An alarm is true"][0] == metrics(app)["Positive predictive value"][0]
    bars = data_of(app, "bars")
    assert bars.loc[bars["call"] == "pneumonia", "images"].sum() == cells.true_positives + cells.false_positives
    assert f"missed **{cells.false_negatives} of" in text(app)
    return True


def test_the_slider_moves_matrix_rates_and_predictive_values_and_the_address_repeats_them(root):  # noqa: F811
    rows = rows_in(root, "alpha", "chest_xray-test")
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test")
    assert shows(app, rows, THRESHOLD)
    healthy(app.slider(key=SLIDER).set_value(0.713).run())
    assert shows(app, rows, 0.713)
    assert address(app) == {"model": "alpha", "set": "chest_xray-test", "threshold": "0.713"}
    again = visit(PERFORMANCE, model="alpha", set="chest_xray-test", threshold="0.713")
    assert shows(again, rows, 0.713)
    assert again.slider(key=SLIDER).value == 0.713
    link = next(element for element in app.get("page_link") if "errors" in element.proto.page)
    assert "threshold=0.713" in link.proto.query_string
    press(app, "As chosen: 0.400")
    assert shows(app, rows, THRESHOLD)
    assert "threshold" not in app.query_params
    link = next(element for element in app.get("page_link") if "errors" in element.proto.page)
    assert "threshold" not in link.proto.query_string


def test_a_rule_that_finds_the_card_s_rounded_threshold_again_is_the_model_s_own(validated):
    validation = rows_in(validated, "alpha", "phantom-validation")
    found = at_sensitivity(validation["probability"].to_numpy(), validation["label"].to_numpy(), 0.95)
    export = cache.exports()[0]["alpha"]
    for value, same in ((found + 5e-7, True), (found + 5e-6, False)):
        card = dataclasses.replace(export.card, threshold=dataclasses.replace(export.card.threshold, value=value))
        own, computed, *_ = operating_points(dataclasses.replace(export, card=card))
        assert computed.title == "Sensitivity 95%"
        assert (computed.threshold == own.threshold) is same


def test_operating_points_are_computed_on_validation_rows_only(validated):
    validation = rows_in(validated, "alpha", "phantom-validation")
    scores = validation["probability"].to_numpy(), validation["label"].to_numpy()
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test")
    for title, threshold in (("Sensitivity 95%", at_sensitivity(*scores, 0.95)), ("Youden", youden(*scores))):
        press(app, f"{title}: {threshold:.3f}")
        assert address(app)["threshold"] == str(threshold)
        assert shows(app, rows_in(validated, "alpha", "chest_xray-test"), threshold)
        assert "computed on Phantoms (synthetic), validation split" in text(app)
    press(app, "0.5")
    assert shows(app, rows_in(validated, "alpha", "chest_xray-test"), 0.5)
    assert "never computed on the images" not in text(app)


def test_another_model_is_judged_at_an_operating_point_of_its_own(root):  # noqa: F811
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test", threshold="0.713")
    healthy(app.selectbox(key="address.model").set_value("beta").run())
    assert address(app) == {"model": "beta", "set": "chest_xray-test"}
    assert app.slider(key=SLIDER).value == THRESHOLD


def test_without_validation_rows_they_are_left_out_and_a_threshold_by_hand_is_called_one(root):  # noqa: F811
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test", threshold="0.3")
    assert not any("Youden" in button.label for button in app.button)
    assert "never computed on the images" in text(app)
    assert "picked by hand" in text(app)


@pytest.mark.parametrize(
    ("name", "span", "value"),
    [
        *(("threshold", "0 to 1", value) for value in ("high", "1.5", "nan", "")),
        *(("prevalence", "0.005 to 0.995", value) for value in ("high", "0", "0.996", "nan", "")),
    ],
)
def test_an_address_with_no_such_number_is_said(root, name, span, value):  # noqa: F811
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test", **{name: value})
    assert f"Expected a number from {span} as {name} in the address. Received: {value}" in text(app)
    assert app.slider(key=SLIDER).value == THRESHOLD


def test_predictive_values_in_a_clinic(root):  # noqa: F811
    rows = rows_in(root, "alpha", "chest_xray-test")
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test", threshold="0.5")
    press(app, "A clinic: 5%")
    assert address(app)["prevalence"] == "0.05"
    found = {name: estimate.value for name, estimate in evaluation.estimates(rows, 0.5, resamples=1).items()}
    alarms = 0.05 * found["sensitivity"], 0.95 * (1 - found["specificity"])
    assert metrics(app)["An alarm is true"][0] == f"{alarms[0] / sum(alarms):.3f}"
    caught, alarmed = round(50 * found["sensitivity"]), round(950 * (1 - found["specificity"]))
    assert f"Of 1,000 children, **50 are ill**. The model catches {caught}" in text(app)
    assert f"So of {caught + alarmed} alarms, **{caught} are true**" in text(app)
    healthy(app.slider(key=PREVALENCE).set_value(20.0).run())
    assert (address(app)["prevalence"], address(app)["threshold"]) == ("0.2", "0.5")
    assert "**200 are ill**" in text(app)


def test_a_threshold_move_sends_data_and_leaves_every_chart_as_it_is(root):  # noqa: F811
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test")
    before = charts(app)
    healthy(app.slider(key=SLIDER).set_value(0.9).run())
    assert charts(app) == before


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_say_what_they_cannot_show(root, label):  # noqa: F811
    rows = rows_in(root, "alpha", "chest_xray-test")
    write_predictions(rows[rows["label"] == label], root / "alpha" / "predictions" / "chest_xray-test.csv")
    told = text(visit(PERFORMANCE))
    assert "A ROC curve needs normal images and pneumonias" in told
    assert ("A precision-recall curve needs pneumonias" in told) == (label == 0)
    assert f"no image of the class {'normal' if label else 'pneumonia'}" in told


def test_what_another_share_of_pneumonia_does_to_the_calibration_is_said(root):  # noqa: F811
    rows = rows_in(root, "alpha", "chest_xray-test")
    assert "Had the calibration known" not in text(visit(PERFORMANCE, model="alpha", set="chest_xray-test"))
    path = root / "alpha" / "card.json"
    card = json.loads(path.read_text())
    for ill, said in ((90, True), (200 * rows["label"].mean(), False)):
        card["data"]["counts"]["validation"] = {"images": 200, "pneumonia": ill}
        path.write_text(json.dumps(card))
        app = visit(PERFORMANCE, model="alpha", set="chest_xray-test")
        assert ("Had the calibration known" in text(app)) == said
        if said:
            moved = rows.assign(probability=at_share(rows["probability"], 0.45, rows["label"].mean()))
            assert f"**{evaluation.expected_calibration_error(moved):.3f}**" in text(app)


def test_one_patient_and_constant_scores_are_said(root):  # noqa: F811
    rows = rows_in(root, "alpha", "chest_xray-test").assign(probability=0.7)
    write_predictions(rows, root / "alpha" / "predictions" / "chest_xray-test.csv")
    assert "Every image got the same probability" in text(visit(PERFORMANCE))
    write_predictions(rows.assign(patient_id="p"), root / "alpha" / "predictions" / "chest_xray-test.csv")
    assert "All images are of one patient" in text(visit(PERFORMANCE))
    write_predictions(rows.iloc[:1], root / "alpha" / "predictions" / "chest_xray-test.csv")
    assert "**1 image** of 1 patient, " in text(visit(PERFORMANCE))


def test_few_patients_are_said(root):  # noqa: F811
    rows = rows_in(root, "alpha", "chest_xray-test")
    many = pd.concat(
        [rows.assign(image_id=f"{i}/" + rows["image_id"], patient_id=f"{i}" + rows["patient_id"]) for i in range(4)]
    )
    for shown, said in ((rows, True), (many, False)):
        write_predictions(shown, root / "alpha" / "predictions" / "chest_xray-test.csv")
        assert ("Brier score are too short" in text(visit(PERFORMANCE))) == said


def test_subgroups_are_listed_with_their_figures(root):  # noqa: F811
    rows = rows_in(root, "alpha", "chest_xray-test")
    app = visit(PERFORMANCE, model="alpha", set="chest_xray-test", threshold="0.6")
    listed = next(table.value for table in app.table if "called right" in table.value.columns)
    series = subgroup(rows)
    assert [name.replace("\\", "") for name in listed.index] == ["virus (pneumonia)", "IM- (normal)"]
    for name, figure in (("virus", "sensitivity"), ("IM-", "specificity")):
        own = rows[series == name]
        expected = evaluation.estimates(own, 0.6)[figure]
        row = listed.iloc[["virus", "IM-"].index(name)]
        assert row["called right"] == str(expected)
        assert row["AUROC"] == str(evaluation.estimates(rows, 0.6)["auroc"])
        assert row["images (patients)"] == f"{len(own)} ({own['patient_id'].nunique()})"


@pytest.fixture
def downloads(monkeypatch):
    """What the page offers: file name -> the function that makes the file."""
    offered, original = {}, st.download_button

    def button(label, data, file_name, *arguments, **settings):
        offered[file_name] = data
        return original(label, data, file_name, *arguments, **settings)

    monkeypatch.setattr(st, "download_button", button)
    return offered


def test_every_figure_downloads_as_picture_and_table(root, downloads):  # noqa: F811
    rows = rows_in(root, "alpha", "phantom-test")
    app = visit(PERFORMANCE, model="alpha", set="phantom-test", threshold="0.6")
    figures = ("confusion-matrix", "probabilities", "roc-curve", "precision-recall-curve", "calibration")
    tables = (*figures, "figures", "classification-report", "subgroups")
    expected = {f"alpha-phantom-test-{name}.{kind}" for name in figures for kind in ("png", "svg")}
    assert downloads.keys() == expected | {f"alpha-phantom-test-{name}.csv" for name in tables}
    for name in figures:
        png, svg = (downloads[f"alpha-phantom-test-{name}.{kind}"]() for kind in ("png", "svg"))
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert np.array(Image.open(io.BytesIO(png)).convert("L")).std() > 5
        assert b"<svg" in svg

    def table(name):
        return pd.read_csv(io.StringIO(downloads[f"alpha-phantom-test-{name}.csv"]()))

    assert table("confusion-matrix")["images"].tolist() == counts(app)
    assert table("probabilities")["images"].sum() == len(rows)
    roc = evaluation.roc(rows)
    np.testing.assert_allclose(table("roc-curve")[roc.columns].iloc[1:], roc.iloc[1:])
    found = evaluation.estimates(rows, 0.6)
    np.testing.assert_allclose(
        table("figures")[["value", "low", "high"]], [list(vars(estimate).values()) for estimate in found.values()]
    )
    at_the_threshold = ("confusion-matrix", "probabilities", "figures", "classification-report", "subgroups")
    assert all(table(name)["threshold"].eq(0.6).all() for name in at_the_threshold)
    assert table("roc-curve")["threshold"].nunique() > 2
    assert "threshold" not in table("calibration")


def test_pictures_say_model_images_threshold_and_that_they_are_synthetic(root, downloads):  # noqa: F811
    visit(PERFORMANCE, model="alpha", set="phantom-test", threshold="0.6")
    title, footer, kind = downloads["alpha-phantom-test-roc-curve.svg"].args[1:]
    assert (title, kind) == ("ROC curve: Alpha", "svg")
    for part in ("SYNTHETIC", "test split", "200 images", "0.600", "never for diagnosis"):
        assert part in footer
    visit(PERFORMANCE, model="alpha", set="chest_xray-test")
    assert "SYNTHETIC" not in downloads["alpha-chest_xray-test-roc-curve.svg"].args[2]


@pytest.mark.parametrize("kind", printed.MIME)
def test_a_name_that_looks_like_a_formula_is_drawn_letter_by_letter(kind):
    def drawn(name):
        return printed.picture(lambda axes: None, f"Calibration: {name}", f"Folder {name}", kind)

    assert len({drawn(name) for name in ("$x_{$", "$x_{1}$", "x_{1}")}) == 3


def test_nothing_is_drawn_before_it_is_asked_for(root, monkeypatch):  # noqa: F811
    def picture(*_):
        raise AssertionError("drawn")

    monkeypatch.setattr(printed, "picture", picture)
    assert len(charts(visit(PERFORMANCE))) == 5


def test_the_report_equals_scikit_learn():
    rows = pd.DataFrame({"label": [0] * 7 + [1] * 5, "called": [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0]})
    received = report.report_table(evaluation.Confusion(4, 3, 1, 4))
    expected = classification_report(rows["label"], rows["called"], output_dict=True)
    for name, key in (("normal", "0"), ("pneumonia", "1"), ("mean", "macro avg"), ("weighted mean", "weighted avg")):
        row = received.loc[name]
        assert row[["precision", "recall", "F1", "images"]].tolist() == pytest.approx(list(expected[key].values()))
    assert received["called"].tolist() == [5, 7, 12, 12]
    assert np.isnan(report.report_table(evaluation.Confusion(0, 3, 0, 4)).loc["normal", "precision"])


def test_the_matrix_is_told_in_words():
    told = charts_of_threshold.described(evaluation.Confusion(1200, 10, 1, 195))
    assert told == "1,200 true negatives, 10 false positives, 1 false negative, 195 true positives"


def test_confusion_table_has_the_counts_and_the_shares_of_each_row():
    table = performance.confusion_table(evaluation.Confusion(90, 10, 5, 195))
    assert table[["name", "images", "share"]].to_numpy().tolist() == [
        ["true negatives", 90, "90.0% of normal"],
        ["false positives", 10, "10.0% of normal"],
        ["false negatives", 5, "2.5% of pneumonia"],
        ["true positives", 195, "97.5% of pneumonia"],
    ]
    assert performance.confusion_table(evaluation.Confusion(0, 0, 1, 1))["share"].tolist()[:2] == ["", ""]


def test_score_table_stacks_both_calls_of_the_threshold_s_bin():
    probability, label = np.array([0.51, 0.52, 0.515, 0.51, 1.0]), np.array([1, 1, 1, 0, 0])
    table = performance.score_table(probability, label, 0.512)
    columns = ["from", "truth", "call", "images", "base", "end"]
    assert table[columns].to_numpy().tolist() == [
        [0.5, "normal", "normal", 1, 0, -1],
        [0.5, "pneumonia", "normal", 1, 0, 1],
        [0.5, "pneumonia", "pneumonia", 2, 1, 3],
        [0.975, "normal", "pneumonia", 1, 0, -1],
    ]
    assert len(set(table["colour"])) == 2


def test_a_curve_marks_the_operating_point_when_there_is_one():
    points = pd.DataFrame({"threshold": [0.5], "sensitivity": [0.9], "specificity": [0.8], "ppv": [0.7]})
    band = pd.DataFrame({"sensitivity": [0.9], "specificity": [0.8], "low": [np.nan], "high": [np.nan]})
    marked = curves.roc_tables(points, band, 0.9, 0.8)
    assert marked["here"].iloc[0].tolist() == pytest.approx([0.2, 0.9])
    assert marked["band"].empty
    assert curves.roc_tables(points, band, float("nan"), 0.8)["here"].empty
    assert curves.precision_recall_tables(points, band, 0.9, float("nan"), 0.6)["here"].empty
    for ground in ("light", "dark"):
        for spec in (curves.roc_curve(ground), curves.precision_recall_curve(ground)):
            assert {layer["data"]["name"] for layer in json.loads(json.dumps(spec))["layer"]} == set(marked)


def test_a_change_in_one_of_many_rows_gives_new_figures():
    """Streamlit's own hash would look at a sample of so many rows."""
    n = 60_000
    rows = pd.DataFrame(
        {
            "image_id": [str(i) for i in range(n)],
            "patient_id": [str(i % 50) for i in range(n)],
            "label": np.arange(n) % 2,
            "subtype": "",
            "probability": 0.5,
        }
    )
    other = rows.copy()
    other.loc[n // 3, "probability"] = 0.4
    assert cache._rows_digest(rows) == cache._rows_digest(rows.copy()) != cache._rows_digest(other)

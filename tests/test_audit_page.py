"""The page of the audit, driven through AppTest on exports and rows made here. No model is run."""

import numpy as np
import pandas as pd
import pytest
from test_audit import rows_of
from test_comparison_pages import add_export, text, visit

from model_zoo import audit
from model_zoo.audit import MEASURES
from model_zoo.methods import TITLES
from views.shared import cache
from views.shared.figures.audit import audit_chart

PAGE = "views/evidence/audit.py"
REAL, PHANTOMS = "chest_xray-test", "phantom-test"
HITS = {"gradcam": [1, 1, 1, 0] * 5, "layercam": [0, 1, 0, 0] * 5, "centre": [0, 0, 1, 0] * 5, "random": [0.3] * 20}


def write_rows(root, model_id: str, name: str, rows: pd.DataFrame) -> None:
    path = root / model_id / "audit" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    rows.to_csv(path, index=False)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Alpha was audited on phantoms and real films, Beta on phantoms, Gamma not yet."""
    root = tmp_path / "exports"
    for model_id in ("alpha", "beta", "gamma"):
        add_export(root / model_id, {}, title=model_id.capitalize())
    write_rows(root, "alpha", PHANTOMS, rows_of(HITS))
    write_rows(root, "beta", PHANTOMS, rows_of({**HITS, "gradcam": [0, 0, 1, 0] * 5}))
    real = rows_of(HITS).assign(pointing=np.nan, in_opacity=np.nan)
    write_rows(root, "alpha", REAL, real.assign(in_lungs=0.25))
    monkeypatch.setattr(cache, "EXPORTS", root)
    return root


def table(app) -> pd.DataFrame:
    return app.dataframe[0].value.set_index("model")


def control(app, name: str):
    return next(box for box in app.selectbox if box.key == f"address.{name}")


def test_a_measure_is_shown_for_each_model_and_method(root):
    app = visit(PAGE, set=PHANTOMS, measure="pointing")
    shown = table(app)
    assert list(shown.index) == ["Alpha", "Beta"]
    assert list(shown.columns) == ["Grad-CAM", "LayerCAM", "Centre prior", "Random map", "images"]
    rows = audit.read_audit(cache.exports()[0]["alpha"], PHANTOMS)
    assert shown.loc["Alpha", "Grad-CAM"] == str(audit.estimates(rows, "pointing")["gradcam"])
    assert shown.loc["Alpha", "Grad-CAM"].startswith("0.750 (")
    assert shown.loc["Beta", "Grad-CAM"].startswith("0.250 (")
    assert "Synthetic images." in text(app)
    assert "Not measured on these images yet: Gamma" in text(app)
    assert MEASURES["pointing"].explanation in app.markdown[-2].value
    # Of four pairs, only Alpha's Grad-CAM hits where the centre misses.
    assert "film by film: 1 of 4** pairs" in text(app)
    assert "- Alpha: Grad-CAM" in text(app)
    assert "- Beta" not in text(app)


def test_rows_of_a_method_that_is_no_more_are_left_out(root):
    write_rows(root, "alpha", PHANTOMS, rows_of({**HITS, "forgotten": [1] * 20}))
    app = visit(PAGE, set=PHANTOMS, measure="pointing")
    assert "forgotten" not in table(app).columns
    assert "film by film: 1 of 4** pairs" in text(app)


def test_a_low_figure_wins_where_low_is_better(root):
    said = text(visit(PAGE, set=PHANTOMS, measure="deletion"))
    assert "Further to the left is better" in said
    assert "film by film: 0 of 4** pairs" in said


def test_a_blind_map_is_no_rival_where_it_is_perfect_by_construction(root):
    said = text(visit(PAGE, set=PHANTOMS, measure="shifted"))
    assert "film by film" not in said
    assert "high alone proves nothing" in said


def test_real_films_are_not_asked_about_opacities(root):
    app = visit(PAGE, set=REAL)
    assert control(app, "measure").options == [
        measure.title for key, measure in MEASURES.items() if key not in ("in_opacity", "pointing")
    ]
    assert table(app).loc["Alpha", "Grad-CAM"] == "0.250 (0.250 to 0.250)"
    assert "Not measured on these images yet: Beta; Gamma" in text(app)
    assert "Synthetic images." not in text(app)


def test_the_address_reproduces_the_view(root):
    app = visit(PAGE, set=PHANTOMS, measure="pointing")
    control(app, "measure").set_value("insertion").run()
    assert app.query_params == {"set": PHANTOMS, "measure": "insertion"}
    assert text(visit(PAGE, **app.query_params)) == text(app)


def test_images_that_a_measure_is_not_asked_of_bring_another_without_a_warning(root):
    app = visit(PAGE, set=PHANTOMS, measure="pointing")
    control(app, "set").set_value(REAL).run()
    assert app.query_params == {"set": REAL}
    assert not app.warning
    control(app, "measure").set_value("insertion").run()
    control(app, "set").set_value(PHANTOMS).run()
    assert app.query_params == {"set": PHANTOMS, "measure": "insertion"}


def test_rows_that_cannot_be_used_are_named_and_the_others_stay(root):
    write_rows(root, "beta", PHANTOMS, rows_of(HITS).drop(columns="insertion"))
    app = visit(PAGE, set=PHANTOMS, measure="pointing")
    assert "without insertion" in app.warning[0].value
    assert list(table(app).index) == ["Alpha"]


def test_a_measure_without_a_figure_is_said_in_words(root):
    for model_id in ("alpha", "beta"):
        write_rows(root, model_id, PHANTOMS, rows_of(HITS).assign(head_randomised=np.nan))
    app = visit(PAGE, set=PHANTOMS, measure="head_randomised")
    assert "No map of these images has a figure" in app.info[-1].value


def test_an_eighth_method_looks_like_no_other():
    methods = [f"Method {number}" for number in range(8)]
    figures = pd.DataFrame(
        [("One", method, 0.5, 0.4, 0.6) for method in methods], columns=["model", "method", "value", "low", "high"]
    )
    blind = pd.DataFrame([("One", "Centre prior", 0.3)], columns=["model", "map", "value"])
    drawn = audit_chart(figures, blind, methods, "Likeness", "dark").to_dict()["layer"][1]["layer"][1]["encoding"]
    assert len(set(drawn["shape"]["scale"]["range"])) == 8
    looks = zip(*(drawn[channel]["scale"]["range"] for channel in ("color", "shape")), strict=True)
    assert len(set(looks)) == 8


def test_a_method_keeps_its_colour_and_each_model_has_its_rows():
    figures = pd.DataFrame(
        [(model, method, 0.5, 0.4, 0.6) for model in ("One", "Two") for method in ("SmoothGrad", "Grad-CAM")],
        columns=["model", "method", "value", "low", "high"],
    )
    blind = pd.DataFrame(
        [("One", "Centre prior", 0.3), ("Two", "Centre prior", -0.2)], columns=["model", "map", "value"]
    )
    chart = audit_chart(figures, blind, list(TITLES.values()), "Likeness", "dark")
    alone = audit_chart(figures[figures["method"] == "SmoothGrad"], blind, list(TITLES.values()), "Likeness", "dark")

    def scale(drawn) -> dict:
        return drawn.to_dict()["layer"][1]["layer"][1]["encoding"]["color"]["scale"]

    both, one = scale(chart), scale(alone)
    assert both["domain"] == ["Grad-CAM", "SmoothGrad"]
    assert both["range"][1] == one["range"][0]
    places = chart.layer[1].data
    assert places["row"].is_unique
    assert places.loc[places["model"] == "One", "row"].max() < places.loc[places["model"] == "Two", "row"].min()
    assert chart.to_dict()["layer"][1]["layer"][1]["encoding"]["x"]["scale"]["domain"] == [-0.2, 1]

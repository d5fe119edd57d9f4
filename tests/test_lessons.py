"""The lessons: that each step opens what it says, and that what there is to find is in the exports' rows."""

import re
from threading import Lock
from xml.etree import ElementTree

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from test_pages import FakeEngine, control, empty_caches, fake_model, open_page, shown, tiny  # noqa: F401

from model_zoo.audit import read_audit
from model_zoo.card import read_card
from model_zoo.lungs.gate import GATE_CARD, GateCard, doubted, read_gate_rows
from model_zoo.methods import TITLES
from model_zoo.predictions import PredictionsError
from model_zoo.registry import networks
from model_zoo.shortcuts import read_shortcuts
from views.shared import cache, reading
from views.shared.lessons import findings
from views.shared.lessons.handout import handout
from views.shared.lessons.lesson import Found
from views.shared.lessons.syllabus import lessons

PAGE = "views/learn/lessons.py"
LESSONS = lessons("phantom")
STEPS = [step for lesson in LESSONS.values() for step in lesson.steps if step.page]

pytestmark = pytest.mark.usefixtures("empty_caches")


@pytest.fixture(scope="module")
def exports():
    return cache.exports()[0]


@pytest.fixture
def no_model_runs(monkeypatch):
    engine = FakeEngine()
    engine.members = (0.2, 0.9)
    monkeypatch.setattr(cache, "_resident", lambda model_id, fingerprint: (engine, Lock()))
    monkeypatch.setattr(cache, "_chest_gate", lambda modified: (engine, Lock()))
    monkeypatch.setattr(cache, "explainers", dict)


def rows_of(exports, model_id: str) -> pd.DataFrame:
    return exports[model_id].predictions(findings.TEST)


@pytest.mark.parametrize("key", LESSONS)
def test_no_figure_is_written_by_hand(key):
    lesson = LESSONS[key]
    texts = [lesson.title, lesson.aim, lesson.question, lesson.talk]
    texts += [text for step in lesson.steps for text in (step.text, step.opens)]
    assert all(texts[:4])
    assert not re.findall(r"\d", " ".join(texts))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.opens)
def test_a_step_opens_what_it_says(step, no_model_runs):
    app = open_page(step.page, **step.parameters)
    assert not app.exception
    assert not app.error
    assert [warning.value for warning in app.warning if warning.icon == ":material/link_off:"] == []
    # A page without choices has no view.
    if step.parameters:
        view = app.session_state["address.view"]
        assert {name: view.get(name) for name in step.parameters} == step.parameters


@pytest.mark.parametrize("key", LESSONS)
def test_a_lesson_needs_no_other_models_than_it_names(key, exports):
    named = {model_id: exports[model_id] for model_id in LESSONS[key].models}
    assert LESSONS[key].find(named).text


@pytest.mark.parametrize("key", LESSONS)
def test_what_there_is_to_find_is_shown_when_asked_for(key, exports):
    app = open_page(PAGE, lesson=key)
    before = shown(app)
    control(app.toggle, f"lessons.found.{key}").set_value(True).run()
    assert not app.exception
    assert LESSONS[key].question in before
    assert len(shown(app)) > len(before)
    assert len(app.dataframe) == (not LESSONS[key].find(exports).table.empty)


def test_accuracy_beside_that_of_always_saying_pneumonia(exports):
    rows = rows_of(exports, "cnn8")
    found = findings.accuracy(exports)
    called = rows["probability"] >= exports["cnn8"].card.threshold.value
    alarmed, missed = int((called & (rows["label"] == 0)).sum()), int((~called & (rows["label"] == 1)).sum())
    assert f"the small network calls {alarmed} pneumonia" in found.text
    assert f"they miss {missed} and" in found.text
    assert found.table["accuracy"][0] == f"{rows['label'].mean():.3f}"
    assert found.table["accuracy"][1].startswith(f"{(called == rows['label']).mean():.3f} (")


def test_no_threshold_is_more_accurate_than_the_one_that_peeked(exports):
    rows = rows_of(exports, "vgg16-two-rates")
    best = max(((rows["probability"] >= level) == rows["label"]).mean() for level in rows["probability"])
    found = findings.operating_point(exports).table.set_index("operating point")
    assert found.at["Most accurate on these very films", "accuracy"] == f"{best:.3f}"
    assert (found["accuracy"].astype(float) <= best + 0.0005).all()
    own = exports["vgg16-two-rates"].card.metrics[findings.TEST]["confusion"]
    assert found.at["As chosen", "missed"] == str(own["false_negatives"])
    assert found.at["As chosen", "false alarms"] == str(own["false_positives"])


def test_the_thresholds_that_are_told_give_the_cells_that_are_told(exports):
    rows = rows_of(exports, "vgg16-two-rates")
    for told in findings.operating_point(exports).table.set_index("operating point").itertuples():
        called = rows["probability"] >= float(told.threshold)
        assert told.missed == str((~called & (rows["label"] == 1)).sum())
        assert told.accuracy == f"{(called == rows['label']).mean():.3f}"


def test_predictive_values_follow_bayes(exports):
    rates = exports["champion"].card.metrics[findings.TEST]
    sensitivity, specificity = rates["sensitivity"][0], rates["specificity"][0]
    found = findings.prevalence(exports).table
    for share, told in zip((0.2, 0.05, 0.01), found["an alarm is true"][1:], strict=True):
        ppv = sensitivity * share / (sensitivity * share + (1 - specificity) * (1 - share))
        assert float(told.split()[0]) == pytest.approx(ppv, abs=0.0006)


def test_the_share_at_which_every_second_alarm_is_true_is_told(exports):
    rates = exports["champion"].card.metrics[findings.TEST]
    share = float(re.search(r"every second one, where ([\d.]+)% are", findings.prevalence(exports).text)[1]) / 100
    true, false = share * rates["sensitivity"][0], (1 - share) * (1 - rates["specificity"][0])
    assert true / (true + false) == pytest.approx(0.5, abs=0.005)


def test_networks_below_image_width_are_named(exports):
    areas = {
        model_id: roc_auc_score(rows["label"], rows["probability"])
        for model_id in exports
        if exports[model_id].is_network or model_id == "width-only"
        for rows in [rows_of(exports, model_id)]
    }
    worse = [exports[model_id].card.title for model_id in areas if areas[model_id] < areas["width-only"]]
    found = findings.width(exports)
    assert worse
    assert list(found.table["model"][1:-1]) == worse
    assert found.table["model"].iloc[-1] == exports[max(areas, key=areas.get)].card.title
    assert f"Of {len(areas) - 1} networks" in found.text


def test_shares_by_probability_are_counted_on_both_sets(exports):
    rows = rows_of(exports, "champion")
    sure = rows[rows["probability"] >= 0.8]
    found = findings.calibration(exports).table.set_index("probability")
    assert found.at["0.8 to 1.0", "pneumonia, test"] == f"{sure['label'].mean():.0%} of {len(sure)}"


def test_what_specificity_the_other_folder_costs_is_told(exports):
    lost = []
    for model_id in ("cnn11", "mobilenetv2", "champion"):
        metrics = exports[model_id].card.metrics
        lost.append(metrics[findings.VALIDATION]["specificity"][0] - metrics[findings.TEST]["specificity"][0])
    assert f"{min(lost):.3f} to {max(lost):.3f} lower" in findings.folders(exports).text


def test_the_most_and_the_least_that_a_model_knows_without_lungs_are_told(exports):
    left = {}
    for model_id in ("cnn11", "mobilenetv2", "champion"):
        rows = read_shortcuts(exports[model_id], findings.TEST).query("change == 'lungs'")
        left[exports[model_id].card.title] = roc_auc_score(rows["label"], rows["probability"])
    most, least = max(left, key=left.get), min(left, key=left.get)
    assert f"“{most}” still has {left[most]:.3f}, “{least}” {left[least]:.3f}" in findings.without_lungs(exports).text


def test_the_network_that_leans_on_the_lungs_most_is_named_among_all(exports):
    blanked, alone = {}, {}
    for export in networks(exports).values():
        rows = read_shortcuts(export, findings.TEST)
        for change, found in (("lungs", blanked), ("outside", alone)):
            part = rows[rows["change"] == change]
            found[export.card.title] = roc_auc_score(part["label"], part["probability"])
    needs, reads = min(blanked, key=blanked.get), max(alone, key=alone.get)
    found = findings.without_lungs(exports)
    assert f"Of all {len(blanked)} networks “{needs}” is left with the least, {blanked[needs]:.3f}" in found.text
    assert f"the most with them alone has “{reads}”, {alone[reads]:.3f}" in found.text
    assert {needs, reads} <= set(found.table["model"])


def test_the_maps_that_forget_most_and_least_are_told(exports):
    rows = read_audit(exports["champion"], findings.TEST)
    means = rows.groupby("method")[["head_randomised", "in_lungs"]].mean()
    alike = means.loc[[method for method in means.index if method in TITLES], "head_randomised"].dropna()
    text = findings.heatmaps(exports).text
    assert f"{TITLES[alike.idxmax()]} stay the most alike ({alike.max():.2f}" in text
    assert f"{TITLES[alike.idxmin()]} the least ({alike.min():.2f})" in text
    assert f"{means.at['centre', 'in_lungs']:.0%} of its evidence in the lungs" in text


def test_kinds_of_pictures_that_are_not_always_doubted_are_counted(exports):
    rows, card = read_gate_rows("made-test"), read_card(GATE_CARD, GateCard)
    caught = rows.assign(doubted=doubted(rows, card)).groupby("kind")["doubted"]
    found = findings.nonsense(exports)
    told = {kind.replace("_", " "): f"{part.sum():.0f} of {len(part)}" for kind, part in caught if part.mean() < 1}
    assert told
    assert found.table.set_index("picture")["doubted"].to_dict() == told
    assert f"every picture of {caught.ngroups - len(told)}" in found.text


def test_films_that_one_of_two_models_alone_gets_right_are_counted(exports):
    right = {
        model_id: (rows["probability"] >= exports[model_id].card.threshold.value) == (rows["label"] == 1)
        for model_id in ("champion", "cnn8")
        for rows in [rows_of(exports, model_id).set_index("image_id").sort_index()]
    }
    found = findings.luck(exports).table.iloc[-1]
    assert found["it alone is right"] == str((right["champion"] & ~right["cnn8"]).sum())
    assert found["the other alone is right"] == str((right["cnn8"] & ~right["champion"]).sum())


def test_the_more_networks_agree_the_fewer_are_wrong_and_the_rest_is_wrong_together(exports):
    rows = [rows_of(exports, model_id).set_index("image_id").sort_index() for model_id in findings.OPINIONS]
    ill = rows[0]["label"] == 1
    right = sum(
        ((table["probability"] >= exports[model_id].card.threshold.value) == ill).astype(int)
        for model_id, table in zip(findings.OPINIONS, rows, strict=True)
    )
    found = findings.opinions(exports)
    table = found.table.set_index("say the same")
    assert list(table.index) == ["5 of 5", "4 of 5", "3 of 5"]
    assert list(table["films"]) == [str(right.isin(split).sum()) for split in ([0, 5], [1, 4], [2, 3])]
    assert list(table["wrong"]) == [str((right == wrong).sum()) for wrong in (0, 1, 2)]
    assert f"But on {(right == 0).sum()} of these films" in found.text
    assert f"{((right == 0) & ~ill).sum()} of them are of healthy children" in found.text


def test_guesses_are_counted_beside_the_models(exports, monkeypatch):
    rows = exports["champion"].predictions(findings.PHANTOMS)
    ill, well = rows[rows["label"] == 1]["image_id"].iloc[0], rows[rows["label"] == 0]["image_id"].iloc[0]
    guesses = {ill: "pneumonia", well: "pneumonia", "train/0000-none": "normal"}
    monkeypatch.setattr(reading, "guesses", lambda collection_id: guesses if collection_id == "phantom" else {})
    table = findings.guesses(exports).table.set_index("who")
    assert table.at["You", "right"] == "1 of 2"
    called = rows.set_index("image_id")["probability"][[ill, well]] >= exports["champion"].card.threshold.value
    expected = int(called[ill]) + int(not called[well])
    assert table.at[exports["champion"].card.title, "right"] == f"{expected} of 2"


def test_a_lesson_whose_models_are_missing_says_which(fake_model):  # noqa: F811
    app = open_page(PAGE, lesson="width")
    control(app.toggle, "lessons.found.width").set_value(True).run()
    assert not app.exception
    assert r"models that are not here\: width\-only" in shown(app)


def test_rows_that_cannot_be_used_are_named(monkeypatch):
    def broken(export, name):
        raise PredictionsError(f"{export.predictions_path(name)}, line 3: expected a probability. Received: 'x'.")

    monkeypatch.setattr(cache, "predictions", broken)
    app = open_page(PAGE, lesson="accuracy")
    control(app.toggle, "lessons.found.accuracy").set_value(True).run()
    assert not app.exception
    assert r"model\_zoo\/exports\/cnn8\/predictions\/chest\_xray\-test\.csv\, line 3" in shown(app)


def parsed(document: str) -> ElementTree.Element:
    doctype, _, page = document.partition("\n")
    assert doctype == "<!DOCTYPE html>"
    return ElementTree.fromstring(page)


def test_students_get_room_and_no_answers():
    page = parsed(handout(list(LESSONS.values()), "http://school:8501/lunglens/"))
    links = [link.get("href") for link in page.iter("a")]
    assert len(links) == len(STEPS)
    assert "http://school:8501/lunglens/performance?model=cnn8&set=chest_xray-test" in links
    assert not list(page.iter("table"))
    assert len([line for line in page.iter("div") if line.get("class") == "answer"]) >= 2 * len(STEPS)


def test_a_teacher_gets_what_there_is_to_find_letter_by_letter():
    found = Found("Less < more & *this*", pd.DataFrame({"a<b": ["1 & 2"]}))
    page = parsed(handout(list(LESSONS.values()), "", {lesson.title: found for lesson in LESSONS.values()}))
    assert "Less < more & *this*" in "".join(page.itertext())
    assert [cell.text for cell in page.iter("td")] == ["1 & 2"] * len(LESSONS)
    assert not list(page.iter("a"))
    assert not [line for line in page.iter("div") if line.get("class") == "answer"]

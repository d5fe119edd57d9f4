"""The page errors, driven through AppTest on exports made here. No data folder is needed."""

import shutil
from io import BytesIO
from threading import Event
from urllib.parse import parse_qsl

import pandas as pd
import pyarrow
import pytest
import streamlit
import test_evidence_pages
from streamlit.testing.v1 import AppTest
from test_evidence_pages import (
    ERRORS,
    ROOT,
    THRESHOLD,
    cards,
    healthy,
    phantom_rows,
    press,
    rows_in,
    text,
    visit,
    xray_rows,
)

from cases.collections import open_collection, phantom
from cases.collections.phantom import PhantomCollection
from model_zoo import evaluation
from model_zoo.neighbours import features_path
from model_zoo.notes import read_notes
from model_zoo.predictions import COLUMNS, write_predictions
from model_zoo.registry import Export
from views.shared import cache, case, jobs, words

root = test_evidence_pages.root


@pytest.fixture(autouse=True, scope="module")
def tensorflow():
    """Imported beforehand: on a busy machine that takes longer than AppTest waits for a page."""
    import model_zoo.engine  # noqa: F401


def least_believed(rows: pd.DataFrame, threshold: float, name: str) -> pd.DataFrame:
    """The rows of one confusion-matrix cell, those first whose true label the model believed least."""
    cell = rows[evaluation.outcome(rows, threshold) == name]
    return cell.sort_values("probability", ascending=name in ("false negative", "true positive"), kind="stable")


def test_arriving_writes_no_address_and_a_choice_writes_all_of_the_view(root):
    app = visit(ERRORS)
    assert app.query_params == {}
    healthy(app.pills(key="address.outcome").set_value("false negative").run())
    assert app.query_params == {
        "model": "alpha",
        "set": "chest_xray-test",
        "outcome": "false negative",
        "subtype": "all",
        "agreement": "all",
        "notes": "all",
        "sort": "least believed",
    }


def test_errors_without_the_images_are_listed_and_phantoms_offered(root):
    app = visit(ERRORS, model="alpha", set="chest_xray-test", outcome="false negative")
    expected = least_believed(rows_in(root, "alpha", "chest_xray-test"), THRESHOLD, "false negative")
    assert "LUNGLENS_DATA" in text(app)
    listed = app.dataframe[0].value
    assert listed["image_id"].tolist() == expected["image_id"].tolist()
    assert {"image_id", "patient_id", "subtype", "probability"} == set(listed.columns)
    assert listed["probability"].tolist() == [words.probability(value) for value in expected["probability"]]
    press(app, "Look at phantoms instead (synthetic)")
    assert app.selectbox[1].value == "phantom-test"
    assert cards(app)


def test_what_is_chosen_among_films_alone_does_not_go_to_the_phantoms(root):
    (root / "beta" / "predictions" / "phantom-test.csv").unlink()
    app = visit(ERRORS, model="alpha", set="chest_xray-test", agreement="alone")
    press(app, "Look at phantoms instead (synthetic)")
    assert app.query_params["set"] == "phantom-test"
    assert not app.warning


@pytest.mark.parametrize("outcome", evaluation.OUTCOMES)
def test_gallery_shows_the_least_believed_truth_first_in_pages(root, outcome):
    expected = least_believed(rows_in(root, "alpha", "phantom-test"), THRESHOLD, outcome)
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome=outcome)
    assert cards(app) == expected["image_id"].tolist()[:24]
    first = next(button for button in app.button if button.key == f"errors-{expected['image_id'].iloc[0]}")
    assert f"{expected['probability'].iloc[0]:.3f}" in first.label
    if len(expected) > 24:
        second = visit(ERRORS, model="alpha", set="phantom-test", outcome=outcome, page="2")
        assert cards(second) == expected["image_id"].tolist()[24:48]


def test_another_outcome_starts_at_its_first_page(root):
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome="true positive", page="2")
    expected = least_believed(rows_in(root, "alpha", "phantom-test"), THRESHOLD, "true negative")
    healthy(app.pills(key="address.outcome").set_value("true negative").run())
    assert cards(app) == expected["image_id"].tolist()[:24]
    assert "page" not in app.query_params


def test_the_first_kind_of_mistake_that_there_is_opens(root):
    rows = rows_in(root, "alpha", "phantom-test")
    rows.loc[rows["label"] == 0, "probability"] = 0.1
    write_predictions(rows, root / "alpha/predictions/phantom-test.csv")
    assert "Pneumonias that the model calls normal" in text(visit(ERRORS, set="phantom-test"))


def test_no_errors_is_said(root):
    rows = rows_in(root, "alpha", "phantom-test")
    write_predictions(rows.assign(probability=rows["label"].astype(float)), root / "alpha/predictions/phantom-test.csv")
    assert "There are no false positives" in text(visit(ERRORS, set="phantom-test"))


def test_an_image_that_the_collection_lacks_leaves_the_others(root):
    rows = rows_in(root, "alpha", "phantom-test")
    stranger = pd.DataFrame([("test/9999-none", "x", 0, "", 0.9999)], columns=list(COLUMNS))
    write_predictions(pd.concat([rows, stranger]), root / "alpha/predictions/phantom-test.csv")
    app = visit(ERRORS, set="phantom-test")
    assert cards(app)[0] == "test/9999-none"
    assert "Not in this copy of the collection" in text(app)
    assert "not in this machine's copy" in text(visit(ERRORS, set="phantom-test", image="test/9999-none"))
    app = visit(ERRORS, set="phantom-test", image="nowhere")
    assert "Received: nowhere. It is left out." in text(app)
    healthy(app.pills(key="address.outcome").set_value("false negative").run())
    assert "image" not in app.query_params


def test_the_shared_link_leads_to_the_page_of_the_gallery(root):
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome="all", page="2")
    assert len(cards(app)) > 0
    shared = dict(parse_qsl(press(app, "Share").code[0].value.partition("?")[2]))
    assert (shared["outcome"], shared["page"]) == ("all", "2")
    # It stands in the address too, and the view stays as it was.
    assert shared == view(app)
    assert cards(app) == cards(visit(ERRORS, **shared))


def test_rows_of_an_unknown_collection_are_listed(root):
    folder = root / "alpha" / "predictions"
    write_predictions(xray_rows(1), folder / "other-test.csv")
    app = visit(ERRORS, model="alpha", set="other-test")
    assert "knows no collection called other" in text(app)
    assert len(app.dataframe[0].value)
    image_id = app.dataframe[0].value["image_id"].iloc[0]
    assert "knows no collection called other" in text(visit(ERRORS, model="alpha", set="other-test", image=image_id))


@pytest.mark.parametrize("address", [{}, {"image": "test/0000-none"}])
def test_a_fault_in_reading_is_not_taken_for_a_missing_image(root, monkeypatch, address):
    asked = []

    def fault(self, image_id):
        asked.append(image_id)
        raise KeyError(image_id)

    for function in (cache._thumbnail, cache._radiograph):
        function.clear()
    monkeypatch.setattr(PhantomCollection, "load", fault)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page(ERRORS)
    app.query_params.update({"set": "phantom-test"} | address)
    app.run()
    assert len(asked) == len(app.exception) == 1
    assert "copy of the collection" not in text(app)


def test_a_case_opens_with_its_heatmap_and_its_address_reproduces_it(root, tiny_export):
    tiny = root / "tiny"
    shutil.copytree(tiny_export.folder, tiny)
    write_predictions(phantom_rows(3), tiny / "predictions" / "phantom-test.csv")
    expected = least_believed(rows_in(root, "tiny", "phantom-test"), THRESHOLD, "false positive")["image_id"]
    app = visit(ERRORS, model="tiny", set="phantom-test")
    healthy(
        next(button for button in app.button if button.key == f"errors-{expected[expected.index[0]]}").click().run()
    )
    assert f"False positive **1** of {len(expected)}" in text(app)
    assert "synthetic" in text(app)
    assert len(app.image) == 2
    direction = app.segmented_control(key="address.direction")
    assert direction.value == "pneumonia"
    healthy(direction.set_value("normal").run())
    assert "for normal" in text(app)

    press(app, "Next")
    assert f"False positive **2** of {len(expected)}" in text(app)
    assert app.segmented_control(key="address.direction").value == "normal"
    address = {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}
    assert address["image"] == expected.iloc[1]
    assert address["direction"] == "normal"
    again = visit(ERRORS, **address)
    assert f"False positive **2** of {len(expected)}" in text(again)
    assert again.segmented_control(key="address.direction").value == "normal"
    assert expected.iloc[1] in text(again)

    press(app, "All cases")
    assert cards(app)[:2] == expected.tolist()[:2]
    assert "image" not in app.query_params

    missed = least_believed(rows_in(root, "tiny", "phantom-test"), THRESHOLD, "false negative")["image_id"]
    app = visit(ERRORS, model="tiny", set="phantom-test", image=missed.iloc[0])
    assert app.segmented_control(key="address.direction").value == "normal"


def test_a_model_file_that_is_missing_leaves_the_film(root):
    rows = rows_in(root, "beta", "phantom-test")
    app = visit(ERRORS, model="beta", set="phantom-test", image=rows["image_id"][0])
    assert "no such file" in text(app)
    assert len(app.image) == 1


def ids(root, outcome: str, model_id: str = "alpha", threshold: float = THRESHOLD) -> list[str]:
    return least_believed(rows_in(root, model_id, "phantom-test"), threshold, outcome)["image_id"].tolist()


def view(app: AppTest) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


@pytest.mark.parametrize("outcome", evaluation.OUTCOMES)
def test_a_threshold_in_the_address_moves_the_cells(root, outcome):
    app = visit(ERRORS, model="alpha", set="phantom-test", threshold="0.7", outcome=outcome)
    assert cards(app) == ids(root, outcome, threshold=0.7)[:24]
    assert ids(root, outcome, threshold=0.7) != ids(root, outcome)
    assert "probability of **0.7** or more" in text(app)
    press(app, "Back to the operating point")
    assert cards(app) == ids(root, outcome)[:24]
    assert "threshold" not in app.query_params
    assert "the model's operating point" in text(app)


def test_a_threshold_between_the_slider_s_positions_is_the_same_on_both_pages(root):
    app = visit(ERRORS, model="alpha", set="phantom-test", threshold="0.51949")
    assert "**0.519** or more" in text(app)


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan", "half", ""])
def test_a_threshold_that_is_none_is_said_and_the_cards_is_used(root, value):
    app = visit(ERRORS, model="alpha", set="phantom-test", threshold=value, outcome="false positive")
    assert f"Expected a number from 0 to 1 as threshold in the address. Received: {value}" in text(app)
    assert cards(app) == ids(root, "false positive")[:24]
    healthy(app.pills(key="address.outcome").set_value("true negative").run())
    assert "threshold" not in app.query_params


def test_filters_are_chosen_said_and_kept_in_the_address(root):
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome="all", page="2")
    healthy(app.pills(key="address.subtype").set_value("lobar").run())
    healthy(app.slider(key="selection.probability").set_value((0.5, 0.9)).run())
    healthy(app.radio(key="address.agreement").set_value("everyone").run())
    healthy(app.radio(key="address.sort").set_value("probability").run())
    own, other = rows_in(root, "alpha", "phantom-test"), rows_in(root, "beta", "phantom-test")
    same = (own["probability"] >= THRESHOLD) == (other["probability"] >= THRESHOLD)
    expected = own[same & (own["subtype"] == "lobar") & own["probability"].between(0.5, 0.9)]
    expected = expected.sort_values("probability", ascending=False, kind="stable")["image_id"].tolist()
    assert 1 < len(expected) < 24
    assert cards(app) == expected
    assert f"**{len(expected)} of 200** remain: lobar, probability 0.5 to 0.9, of the models, all agree" in text(app)
    assert {name: view(app)[name] for name in ("subtype", "probability", "agreement", "sort")} == {
        "subtype": "lobar",
        "probability": "0.5-0.9",
        "agreement": "everyone",
        "sort": "probability",
    }
    assert "page" not in app.query_params
    assert cards(visit(ERRORS, **view(app))) == expected


def test_an_empty_selection_is_said_and_cleared(root):
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome="false negative", probability="0.9-1", notes="with")
    count = len(ids(root, "false negative"))
    assert f"None of the {count} false negatives is left by the filters: probability 0.9 to 1, with a star" in text(app)
    assert cards(app) == []
    healthy(app.button(key="clear").click().run())
    assert cards(app) == ids(root, "false negative")[:24]


@pytest.mark.parametrize("value", ["0.9-0.1", "0.5", "a-b", "0-2"])
def test_a_range_that_is_none_is_said(root, value):
    app = visit(ERRORS, model="alpha", set="phantom-test", probability=value)
    assert "Expected two numbers from 0 to 1, as in 0.2-0.8, as probability in the address" in text(app)
    assert cards(app) == ids(root, "false positive")[:24]


def test_normal_series_can_be_told_apart(root):
    app = visit(ERRORS, model="alpha", set="chest_xray-test", outcome="all", subtype="IM-")
    rows = rows_in(root, "alpha", "chest_xray-test")
    assert set(app.dataframe[0].value["image_id"]) == set(rows.loc[rows["label"] == 0, "image_id"])
    assert "normal, series IM" in text(app)


def test_other_models_that_fail_are_named_and_the_page_stays(root):
    path = root / "beta" / "predictions" / "phantom-test.csv"
    path.write_text(path.read_text().replace("test/0003-", ",test/0003-"))
    app = visit(ERRORS, model="alpha", set="phantom-test")
    assert "The opinion of Beta is left out" in text(app)
    assert "phantom-test.csv, line 5" in text(app)
    assert cards(app) == ids(root, "false positive")[:24]
    assert not any(radio.key == "address.agreement" for radio in app.radio)


def test_next_goes_through_the_filtered_order(root):
    view_ = {"model": "alpha", "set": "phantom-test", "outcome": "all", "subtype": "lobar", "sort": "probability"}
    rows = rows_in(root, "alpha", "phantom-test")
    lobar = rows[rows["subtype"] == "lobar"].sort_values("probability", ascending=False, kind="stable")
    expected = lobar["image_id"].tolist()
    app = visit(ERRORS, **view_, image=expected[0])
    assert f"Image **1** of {len(expected)}" in text(app)
    press(app, "Next")
    assert view(app)["image"] == expected[1]
    assert f"Image **2** of {len(expected)}" in text(app)
    press(app, "All cases")
    assert cards(app) == expected[:24]


def called_otherwise(rows: pd.DataFrame, other: pd.DataFrame, threshold: float) -> str:
    """A normal image that rows call pneumonia at THRESHOLD, and other does not at the threshold given."""
    wrong = (rows["label"] == 0) & (rows["probability"] >= THRESHOLD)
    return rows.loc[wrong & (other["probability"] < threshold), "image_id"].iloc[0]


def test_an_arrow_key_after_the_image_was_left_does_nothing(monkeypatch):
    chosen = []
    monkeypatch.setattr(case.address, "choose", lambda **parameters: chosen.append(parameters["image"]))
    for image, expected in ((None, []), ("of another outcome", []), ("b", ["c"])):
        monkeypatch.setattr(case.st, "query_params", {"image": image} if image else {})
        case._step(["a", "b", "c"], 1)
        assert chosen == expected


def test_an_opened_image_is_counted_among_those_of_its_own_outcome(root):
    alpha, beta = (rows_in(root, model_id, "phantom-test") for model_id in ("alpha", "beta"))
    address = {"model": "alpha", "set": "phantom-test", "outcome": "false positive"}
    image_id = called_otherwise(alpha, beta, THRESHOLD)
    place = f"True negative **{ids(root, 'true negative', 'beta').index(image_id) + 1}** of "
    app = visit(ERRORS, **address, image=image_id)
    assert f"of {len(ids(root, 'false positive'))}" in text(app)
    healthy(app.selectbox[0].set_value("beta").run())
    assert f"{place}{len(ids(root, 'true negative', 'beta'))}" in text(app)
    assert not app.warning
    linked = visit(ERRORS, **{**address, "model": "beta"}, image=image_id)
    assert place in text(linked)
    press(linked, "All cases")
    assert image_id in cards(linked)

    # At a lower threshold it was a false positive, at the model's own it is right.
    low = alpha[(alpha["label"] == 0) & alpha["probability"].between(0.2, THRESHOLD, inclusive="left")]
    app = visit(ERRORS, **address, threshold="0.2", image=low["image_id"].iloc[0])
    assert "False positive **" in text(app)
    press(app, "Back to the operating point")
    assert f"of {len(ids(root, 'true negative'))}" in text(app)
    assert "True negative **" in text(app)


def test_a_model_without_rows_of_the_images_takes_others_without_a_warning(root):
    (root / "beta" / "predictions" / "phantom-test.csv").unlink()
    app = visit(ERRORS, model="alpha", set="phantom-test", image=ids(root, "false positive")[0], subtype="all")
    healthy(app.selectbox[0].set_value("beta").run())
    assert app.selectbox[1].value == "chest_xray-test"
    assert not app.warning
    assert not view(app).keys() & {"set", "image", "subtype"}


def test_images_that_no_other_model_has_rows_of_drop_what_is_asked_of_those(root):
    (root / "beta" / "predictions" / "chest_xray-test.csv").unlink()
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome="all", agreement="alone")
    healthy(app.selectbox[1].set_value("chest_xray-test").run())
    assert not app.warning
    assert view(app)["outcome"] == "all"
    assert "agreement" not in view(app)


def test_another_outcome_shows_the_evidence_for_its_own_call(root):
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome="all", direction="normal")
    healthy(app.pills(key="address.outcome").set_value("false negative").run())
    assert "direction" not in view(app)


def test_a_case_shows_all_opinions_from_their_rows(root):
    image_id = ids(root, "false positive")[0]
    app = visit(ERRORS, model="alpha", set="phantom-test", threshold="0.05", image=image_id)
    probability = {}
    for model_id in ("alpha", "beta"):
        rows = rows_in(root, model_id, "phantom-test").set_index("image_id")
        probability[model_id.capitalize()] = rows.at[image_id, "probability"]
    chart = app.get("vega_lite_chart")[0].proto
    data = pyarrow.ipc.open_stream(chart.datasets[0].data.data).read_pandas().set_index("title")
    assert dict(data["probability"]) == pytest.approx(probability)
    assert dict(data["threshold"]) == {"Alpha": 0.05, "Beta": THRESHOLD}
    wrong = 1 + (probability["Beta"] >= THRESHOLD)
    assert f"**{wrong} of 2** models call this pneumonia; {2 - wrong} of 2 are right" in text(app)


def test_notes_last_over_pages_filter_and_go_out_and_in(root, monkeypatch):
    downloads = []
    monkeypatch.setattr(streamlit, "download_button", lambda label, data, **settings: downloads.append(data))
    first, second = ids(root, "false positive")[:2]
    app = visit(ERRORS, model="alpha", set="phantom-test", outcome="false positive", image=first)
    healthy(app.toggle(key=f"notes.star phantom {first}").set_value(True).run())
    press(app, "Next")
    healthy(app.text_area(key=f"notes.text phantom {second}").set_value("=a vessel, not an opacity").run())
    press(app, "Previous")
    assert app.toggle(key=f"notes.star phantom {first}").value
    healthy(app.switch_page("views/start/home.py").run())
    app.switch_page(ERRORS)
    app.query_params.clear()
    app.query_params.update({"model": "alpha", "set": "phantom-test", "outcome": "all", "notes": "with"})
    healthy(app.run())
    assert cards(app) == [first, second]
    healthy(app.radio(key="address.notes").set_value("starred").run())
    assert cards(app) == [first]
    healthy(app.radio(key="address.notes").set_value("with").run())
    saved = app.session_state["notes"]
    assert {key: (note.text, note.star) for key, note in saved.items()} == {
        ("phantom", first): ("", True),
        ("phantom", second): ("=a vessel, not an opacity", False),
    }
    data = downloads[-1]()
    assert read_notes(data) == saved
    table = pd.read_csv(BytesIO(data)).set_index("image_id")
    for model_id in ("alpha", "beta"):
        rows = rows_in(root, model_id, "phantom-test").set_index("image_id")["probability"]
        assert table[f"probability {model_id}"].to_dict() == pytest.approx(rows[[first, second]].to_dict())
    assert table.loc[second, "note"] == "'=a vessel, not an opacity"

    again = visit(ERRORS, model="alpha", set="phantom-test", outcome="all", notes="with")
    assert cards(again) == []
    healthy(again.file_uploader[0].set_value(("saved.csv", data, "text/csv")).run())
    assert "notes of 2 images were read" in text(again)
    assert cards(again) == [first, second]
    assert again.session_state["notes"] == saved
    # What was said of the file goes with it.
    healthy(again.switch_page("views/start/home.py").run())
    healthy(again.switch_page(ERRORS).run())
    assert "were read" not in text(again)


def test_a_file_with_one_note_is_said_to_have_one(root):
    app = visit(ERRORS, model="alpha", set="phantom-test")
    one = b"collection,image_id,star,note\nphantom,test/0000-none,yes,\n"
    healthy(app.file_uploader[0].set_value(("notes.csv", one, "text/csv")).run())
    assert "notes of 1 image were read" in text(app)


def test_a_bad_file_of_notes_is_named_and_nothing_is_lost(root):
    image_id = ids(root, "false positive")[0]
    app = visit(ERRORS, model="alpha", set="phantom-test", image=image_id)
    healthy(app.text_area(key=f"notes.text phantom {image_id}").set_value("mine").run())
    press(app, "All cases")
    bad = b"collection,image_id,star,note\nphantom,test/0000-none,perhaps,\n"
    healthy(app.file_uploader[0].set_value(("notes.csv", bad, "text/csv")).run())
    assert "notes.csv cannot be used. Line 2, column star: expected yes or nothing" in text(app)
    assert [note.text for note in app.session_state["notes"].values()] == ["mine"]
    other = f"collection,image_id,star,note\nphantom,{image_id},yes,theirs\nphantom,test/0000-none,yes,\n".encode()
    healthy(app.file_uploader[0].set_value(("other.csv", other, "text/csv")).run())
    assert "Of 1 of them this visit has another note, which was kept" in text(app)
    assert app.session_state["notes"]["phantom", image_id].text == "mine"
    assert app.session_state["notes"]["phantom", "test/0000-none"].star


@pytest.fixture
def own_phantoms(root, tiny_export, monkeypatch, tmp_path):
    """The tiny export as a model that learnt from a few phantoms, with features of its own."""
    monkeypatch.setattr(phantom, "SIZES", phantom.SIZES | {"train": 40, "val": 10})
    cache.collection.clear()
    monkeypatch.setenv("LUNGLENS_CACHE", str(tmp_path / "cache"))
    folder = root / "tiny"
    shutil.copytree(tiny_export.folder, folder)
    write_predictions(phantom_rows(3), folder / "predictions" / "phantom-test.csv")
    yield Export(folder, tiny_export.card)
    cache.collection.clear()


def test_the_nearest_training_images_are_found_once_and_kept(own_phantoms, root, monkeypatch):
    load, gate = PhantomCollection.load, Event()

    def load_when_open(self, image_id):
        assert image_id.startswith("test/") or gate.wait(100)
        return load(self, image_id)

    monkeypatch.setattr(PhantomCollection, "load", load_when_open)
    entries = [e for split in ("train", "val") for e in open_collection("phantom").entries(split)]
    image_id = ids(root, "false positive", "tiny")[0]
    app = visit(ERRORS, model="tiny", set="phantom-test", image=image_id)
    press(app, f"Look at {len(entries):,} training images")
    job = jobs.last(features_path(own_phantoms))
    press(app, "Cancel")
    gate.set()
    job.join(100)
    healthy(app.run())
    # The batch at hand was kept.
    press(app, f"Go on: {len(entries) - 32} of {len(entries)} training images are left")
    jobs.last(features_path(own_phantoms)).join(100)
    healthy(app.run())
    assert "nearest synthetic training images of the training set are normal" in text(app)
    links = [link.proto for link in app.get("page_link") if "similarity" in link.proto.label]
    found = [dict(parse_qsl(link.query_string)) for link in links]
    assert len(found) == 5
    assert {tuple(view) for view in found} == {("model", "collection", "image")}
    assert {view["image"] for view in found} <= {entry.id for entry in entries}
    again = visit(ERRORS, model="tiny", set="phantom-test", image=ids(root, "false positive", "tiny")[1])
    assert "nearest synthetic training images" in text(again)


def test_no_training_image_is_like_one_of_another_collection(root):
    app = visit(ERRORS, model="alpha", set="phantom-test", image=ids(root, "false positive")[0])
    assert "The model learnt from another collection" in text(app)


def of_a_scored_folder():
    from views.shared import cache, neighbours

    neighbours.show(cache.exports()[0]["alpha"], "folder-0123456789ab", 0, None)


def test_training_images_may_be_like_one_of_a_folder(root):
    app = healthy(AppTest.from_function(of_a_scored_folder).run())
    assert app.caption[0].value == "The images that the model learnt from are not on this machine."

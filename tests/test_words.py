"""Figures in plain words: rounding that hides nothing, text from outside shown letter by letter."""

from pathlib import Path

import numpy as np
import pytest

from cases.collections.base import Entry
from model_zoo.evaluation import ObservedShare
from views.shared import words

NORMAL = Entry("test/0000-none", 0, None, "test/0000", "test")
LOBAR = Entry("test/0001-lobar", 1, "lobar", "test/0001", "test")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "below 0.001"), (0.0006, "0.001"), (0.5, "0.500"), (0.9994, "0.999"), (0.9996, "above 0.999")],
)
def test_a_probability_is_never_certain(value, expected):
    assert words.probability(value) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0%"), (0.002, "less than 1%"), (0.5, "50%"), (0.996, "more than 99%"), (1.0, "100%")],
)
def test_whole_percents_hide_no_exception(share, expected):
    assert words.percent(share) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(13.3, "13 seconds"), (1506, "25 minutes"), (8640, "2.4 hours")])
def test_training_of_any_length_is_said(seconds, expected):
    assert words.trained_for(seconds) == expected


@pytest.mark.parametrize(
    ("left", "expected"),
    [(0, "1 second"), (1, "1 second"), (2, "2 seconds"), (89, "89 seconds"), (90, "2 minutes"), (5400, "2 hours")],
)
def test_the_time_that_is_left_is_said_in_whole_numbers(left, expected):
    assert words.pace(1.0, left) == f", 1.0 a second, about {expected} left"
    assert words.pace(None, left) == ""


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (5216, "5,216 images")]
)
def test_one_image_is_an_image(number, expected):
    assert words.counted(number, "image") == expected


def test_text_from_outside_keeps_its_letters_and_loses_its_markup():
    assert words.plain("a_b*c*:red[x] $y$ <b>\n#1.png") == r"a\_b\*c\*\:red\[x\] \$y\$ \<b\> \#1\.png"
    assert words.plain("Größe 12") == "Größe 12"


def test_a_command_that_mends_is_code_and_nothing_else():
    problem = ValueError("Not at /x_y. `python -m train download medmnist` fetches it; `rm -r` does not.")
    assert words.way_out(problem, here=True) == (
        r"Not at \/x\_y\. `python -m train download medmnist` fetches it\; \`rm \-r\` does not\."
    )


def test_where_data_lies_is_told_at_this_machine_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LUNGLENS_FOLDER", str(tmp_path / "films"))
    problem = ValueError(f"Not at {tmp_path}/data/x or {tmp_path}/films")
    assert words.plain(str(tmp_path)) in words.way_out(problem, here=True)
    assert words.way_out(problem, here=False) == words.plain(
        "Not at the data folder/x or the folder in LUNGLENS_FOLDER"
    )


def test_folders_of_one_name_are_told_apart():
    long = "a" * 50
    roots = {
        "one": Path("/2023/films"),
        "two": Path("/2024/films"),
        "three": Path("/2024/others"),
        "four": Path(f"/x/{long}1"),
        "five": Path(f"/y/{long}2"),
    }
    names = words.folder_names(roots)
    assert (names["one"], names["two"], names["three"]) == ("films in /2023", "films in /2024", "others")
    assert len(set(names.values())) == len(roots)


def test_at_the_operating_point_an_image_is_called_pneumonia():
    assert words.called(0.43, 0.43) == "pneumonia"
    assert words.called(0.4299, 0.43) == "normal"


def test_an_opinion_near_the_operating_point_says_so():
    assert "only just" in words.opinion(0.45, 0.43)
    assert "only just" not in words.opinion(0.60, 0.43)
    assert "below the operating point, 0.430" in words.opinion(0.1, 0.43)


def test_observed_names_the_set_its_interval_and_its_own_share_of_pneumonia():
    share = ObservedShare(images=50, pneumonia=48, low=0.863, high=0.995, lowest=0.93, highest=0.97)
    text = words.observed(share, 0.74, "chest_xray-validation")
    assert "Of the 50 validation images scored most like this one (probability 0.930 to 0.970)" in text
    assert "**96% were pneumonia** (95% interval 86% to more than 99%)" in text
    assert "Of all validation images, 74% were pneumonia" in text


def test_observed_names_a_range_of_one_probability_once():
    share = ObservedShare(images=50, pneumonia=50, low=0.93, high=1.0, lowest=0.9996, highest=0.9999)
    assert "(probability above 0.999), **100%" in words.observed(share, 0.74, "chest_xray-validation")


def test_balance_is_relative_to_the_scale_of_the_model():
    sides = words.balance(np.array([[3.0, 0.0], [-1.0, 0.0]], np.float32), scale=2.0)
    assert sides.for_pneumonia == pytest.approx(0.75)
    assert sides.peaks == {"pneumonia": 1.5, "normal": 0.5}
    assert words.strength(sides, "pneumonia") == "The strongest spot for pneumonia reaches full strength."
    assert words.strength(sides, "normal") == "The strongest spot for normal reaches 50% of full strength."


def test_an_empty_map_is_said_in_words():
    nothing = words.balance(np.zeros((2, 2), np.float32), scale=1.0)
    assert "The map is empty" in words.evidence(nothing, "normal")
    assert "either way" in words.empty_map(nothing, "pneumonia")

    one_sided = words.balance(np.full((2, 2), -0.5, np.float32), scale=1.0)
    assert words.empty_map(one_sided, "normal") is None
    assert words.empty_map(one_sided, "pneumonia") == (
        "Nothing to paint: no part of this film speaks for pneumonia. All evidence is for normal."
    )


def test_weak_evidence_is_called_weak():
    weak = words.balance(np.array([[0.01, -0.02]], np.float32), scale=1.0)
    assert "nearly empty" in words.evidence(weak, "normal")
    assert words.strength(weak, "normal").startswith("Weak evidence: the strongest spot")


def test_evidence_that_contradicts_the_call_is_pointed_out():
    sides = words.balance(np.array([[1.0, -0.5]], np.float32), scale=1.0)
    assert words.evidence(sides, "pneumonia") == (
        "Of the evidence on the map, 67% speaks for pneumonia and 33% for normal."
    )
    assert "The model says normal all the same" in words.evidence(sides, "normal")


def test_answer_and_verdict_use_the_terms_of_the_confusion_matrix():
    assert words.answer(LOBAR) == "Pneumonia (lobar)"
    assert words.answer(NORMAL) == "Normal"
    assert "a true positive" in words.verdict("pneumonia", LOBAR)
    assert "a false negative" in words.verdict("normal", LOBAR)
    assert "a false positive" in words.verdict("pneumonia", NORMAL)
    assert "a true negative" in words.verdict("normal", NORMAL)
    assert words.guessed("normal", NORMAL) == "You said normal: right."
    assert words.guessed("normal", LOBAR) == "You said normal: not this time."


def test_caution_depends_on_what_the_model_has_seen():
    assert words.caution("phantom", "phantom", LOBAR, synthetic=True) is None
    trained_on = Entry("train/0001-lobar", 1, "lobar", "train/0001", "train")
    assert "learnt from this very image" in words.caution("phantom", "phantom", trained_on, synthetic=True)
    assert "synthetic" in words.caution("chest_xray", "phantom", LOBAR, synthetic=True)
    assert "no chest X-ray at all" in words.caution("chest_xray", None, None, synthetic=False)


def test_votes_say_whether_the_members_agree():
    agree = words.votes(3, 3, "pneumonia", 0.8, 0.9, 0.05)
    assert agree.startswith("All 3 members call this pneumonia too,")
    assert agree.endswith("from 0.800 to 0.900 (standard deviation 0.050).")
    part = words.votes(1, 3, "normal", 0.2, 0.9, 0.3)
    assert part.startswith("**The members disagree**: 1 of 3 call this pneumonia and 2 normal,")
    assert "the committee says normal" in part
    alone = words.votes(0, 2, "pneumonia", 0.4, 0.45, 0.02)
    assert alone.startswith("Both members call this normal, each at its own operating point, and the committee pneum")


def test_titles_with_commas_can_be_told_apart():
    told = words.listed(["CNN, 8 layers", "CNN, 8 layers, balanced"]).replace("\\", "")
    assert told == "CNN, 8 layers; CNN, 8 layers, balanced"

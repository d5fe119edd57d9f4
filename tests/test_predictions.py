"""Prediction rows: what is written is read back, and damage is named with its file, line and column."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from model_zoo.predictions import (
    COLUMNS,
    DISAGREEMENT,
    DOUBTS,
    PredictionsError,
    read_predictions,
    read_scores,
    write_predictions,
)
from model_zoo.registry import scan

HEADER = ",".join(COLUMNS)
GOOD = ("test/a.jpeg,p1,0,,0.25", "test/b.jpeg,p1,1,virus,0.75", '"test/c, d.jpeg",p2,1,bacteria,1')


def written(tmp_path, *lines, end="\n", encoding="utf-8"):
    path = tmp_path / "chest_xray-test.csv"
    path.write_bytes(("\n".join(lines) + end).encode(encoding))
    return path


def test_what_is_written_is_read_back(tmp_path):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "image_id": ["test/a, b.jpeg", 'test/"quoted".jpeg', "test/ünï.jpeg", "d"],
            "patient_id": ["007", "1", "NA", "nan"],
            "label": [0, 1, 1, 0],
            "subtype": ["", "virus", "NA", ""],
            "probability": np.round(rng.random(4), 12),
        }
    )
    path = tmp_path / "predictions" / "phantom-test.csv"
    write_predictions(rows.assign(ignored=1), path)
    pd.testing.assert_frame_equal(read_predictions(path), rows)
    assert path.read_text(encoding="utf-8").startswith(HEADER + "\n")
    assert b"\r" not in path.read_bytes()


def test_probabilities_keep_enough_decimals_to_rank_sure_answers(tmp_path):
    sure = expit([-26.0, -25, -15, -14, 14, 15, 25, 26])
    rows = pd.DataFrame([(str(i), "p", 1, "", p) for i, p in enumerate([1 / 3, *sure])], columns=list(COLUMNS))
    path = tmp_path / "x-test.csv"
    write_predictions(rows, path)
    third, *found = read_predictions(path)["probability"]
    assert third == 0.333333333333
    assert sorted(set(found)) == found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_files_saved_by_other_programs_are_read(tmp_path, end, encoding):
    rows = read_predictions(written(tmp_path, HEADER, *GOOD, end=end, encoding=encoding))
    assert rows["image_id"].tolist() == ["test/a.jpeg", "test/b.jpeg", "test/c, d.jpeg"]
    assert rows["label"].tolist() == [0, 1, 1]


def test_columns_in_another_order_and_more_of_them_are_read(tmp_path):
    path = written(tmp_path, "note,probability,subtype,label,patient_id,image_id", "x,0.5,virus,1,p,a")
    assert read_predictions(path).iloc[0].tolist() == ["a", "p", 1, "virus", 0.5]


DAMAGE = {
    "truncated row": ("test/d.jpeg,p3", "line 5", "expected 5 values, one per column. Received: 2"),
    "surplus value": ("test/d.jpeg,p3,0,,0.5,0.5", "line 5", "expected 5 values, one per column. Received: 6"),
    "blank line": ("", "line 5", "Received: 0"),
    "no image": (",p3,0,,0.5", "line 5, column image_id", "Received: ''"),
    "image twice": ("test/a.jpeg,p3,0,,0.5", "line 5, column image_id", "Received: 'test/a.jpeg'"),
    "no patient": ("test/d.jpeg,,0,,0.5", "line 5, column patient_id", "Received: ''"),
    "label 2": ("test/d.jpeg,p3,2,,0.5", "line 5, column label", "expected 0 or 1. Received: '2'"),
    "label in words": ("test/d.jpeg,p3,normal,,0.5", "line 5, column label", "Received: 'normal'"),
    "label empty": ("test/d.jpeg,p3,,,0.5", "line 5, column label", "Received: ''"),
    "label 1.0": ("test/d.jpeg,p3,1.0,,0.5", "line 5, column label", "Received: '1.0'"),
    "probability above 1": ("test/d.jpeg,p3,0,,1.5", "line 5, column probability", "Received: '1.5'"),
    "probability below 0": ("test/d.jpeg,p3,0,,-0.1", "line 5, column probability", "Received: '-0.1'"),
    "probability nan": ("test/d.jpeg,p3,0,,nan", "line 5, column probability", "Received: 'nan'"),
    "probability inf": ("test/d.jpeg,p3,0,,inf", "line 5, column probability", "Received: 'inf'"),
    "probability in words": ("test/d.jpeg,p3,0,,high", "line 5, column probability", "Received: 'high'"),
    "probability with a comma": ('test/d.jpeg,p3,0,,"0,5"', "line 5, column probability", "Received: '0,5'"),
    "probability empty": ("test/d.jpeg,p3,0,,", "line 5, column probability", "Received: ''"),
    "open quote": ('"test/d.jpeg,p3,0,,0.5', "line 6", "comma-separated text"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_with_file_line_and_column(tmp_path, damage):
    line, place, reason = DAMAGE[damage]
    path = written(tmp_path, HEADER, *GOOD, line, "test/e.jpeg,p4,0,,0.5")
    with pytest.raises(PredictionsError) as raised:
        read_predictions(path)
    message = str(raised.value)
    assert message.startswith(f"{path}, {place}:")
    assert reason in message


SWALLOWED = "x\n" * 20_000


@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, *GOOD, f'"{SWALLOWED}"'),
        (HEADER, *GOOD, f'test/d.jpeg,p3,"{SWALLOWED}",,0.5'),
        (f'{HEADER},"{SWALLOWED}","{SWALLOWED}"',),
        (f'"{SWALLOWED}"',),
    ],
    ids=["a record", "a value", "a column twice", "the header"],
)
def test_a_quotation_mark_that_swallows_lines_makes_no_long_message(lines, tmp_path):
    with pytest.raises(PredictionsError, match="Received: ") as raised:
        read_predictions(written(tmp_path, *lines))
    assert len(str(raised.value)) < 600


def test_the_first_row_may_have_the_surplus_value(tmp_path):
    with pytest.raises(PredictionsError, match=r"line 2: expected 5 values.*Received: 6"):
        read_predictions(written(tmp_path, HEADER, "a,p,0,,0.5,0.5"))


def test_lines_are_counted_as_an_editor_does(tmp_path):
    path = written(tmp_path, HEADER, '"two\nlines",p,0,,0.5', "b,p,0,,2")
    with pytest.raises(PredictionsError, match="line 4, column probability"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "line 1: expected the columns"),
        (b"\x00\x01\x02", "expected"),
        (b"\xff\xfe\x00", "expected UTF-8 text"),
        (HEADER.encode(), "expected at least one row. Received: none"),
        (b"image_id,patient_id,label,probability\na,p,0,0.5", "without subtype"),
        (b"image_id,patient_id,label,subtype,probability,label\na,p,0,,0.5,0", "with label twice"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "line 1: expected the columns"),
    ],
)
def test_a_file_that_is_something_else(tmp_path, content, expected):
    path = tmp_path / "x-test.csv"
    path.write_bytes(content)
    with pytest.raises(PredictionsError) as raised:
        read_predictions(path)
    assert str(raised.value).startswith(str(path))
    assert expected in str(raised.value)


def test_rows_that_are_still_written_may_lack_labels_and_the_end_of_a_line(tmp_path):
    header = f"{HEADER},{DOUBTS},{DISAGREEMENT}"
    assert read_scores(written(tmp_path, header)).empty
    rows = read_scores(
        written(tmp_path, header, "a,p,1,,0.5,blank; flat,0.25", "b,p,,,0.5,,0", "c,p,0,,1,,0", "d,", end="")
    )
    assert rows["label"].fillna(9).tolist() == [1, 9, 0]
    assert rows[[DOUBTS, DISAGREEMENT]].to_numpy().tolist() == [["blank; flat", 0.25], ["", 0], ["", 0]]
    assert DISAGREEMENT not in read_scores(written(tmp_path, f"{HEADER},{DOUBTS}", "a,p,1,,0.5,"))


def test_a_missing_file(tmp_path):
    with pytest.raises(PredictionsError, match="no such file"):
        read_predictions(tmp_path / "none.csv")


@pytest.mark.parametrize("export", scan()[0].values(), ids=lambda export: export.id)
def test_rows_of_every_export_are_written_as_they_were_read(export, tmp_path):
    for name in export.prediction_sets():
        write_predictions(export.predictions(name), tmp_path / "again.csv")
        assert (tmp_path / "again.csv").read_bytes() == export.predictions_path(name).read_bytes()

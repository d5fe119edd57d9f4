"""Notes as CSV: what is written is read back, formulas are defused, and bad files are named by line and column."""

import csv
import io

import pandas as pd
import pytest

from model_zoo.notes import COLUMNS, MAX_LENGTH, Note, NotesError, read_notes, write_notes

TEXTS = (
    "a plain note",
    'two\nlines, a comma and a "quote"',
    '=HYPERLINK("http://example.org")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\ttab",
    "\rreturn",
    "'=quoted before",
    "'tis",
    "Größe: 3 µm — 良い",
    "",
)


def table_of(texts=TEXTS) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": [f"test/{i}" for i in range(len(texts))],
            "probability cnn8": 0.25,
            "collection": "chest_xray",
            "star": ["yes" if i % 2 else "" for i in range(len(texts))],
            "note": texts,
        }
    )


def test_what_is_written_is_read_back():
    read = read_notes(write_notes(table_of()))
    assert write_notes(table_of()).decode("utf-8-sig").startswith('"image_id","probability cnn8",')
    assert read == {
        ("chest_xray", f"test/{i}"): Note(text, bool(i % 2)) for i, text in enumerate(TEXTS) if text or i % 2
    }


def test_a_formula_that_a_spreadsheet_bared_keeps_its_first_sign():
    assert read_notes((HEADER + line("c", "test/a", "", "-2 cm")).encode())["c", "test/a"].text == "-2 cm"


def test_no_cell_begins_as_a_formula():
    data = write_notes(table_of().assign(image_id=[f"={i}" for i in range(len(TEXTS))], collection="@x"))
    cells = [cell for record in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) for cell in record]
    assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")] == []
    assert ("@x", "=2") in read_notes(data)


def line(*values: str) -> str:
    return ",".join(values) + "\n"


HEADER = line(*COLUMNS)
GOOD = line("chest_xray", "test/a", "yes", "seen")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Line 1: expected the columns .* Received: nothing"),
        (b"image_id,note\n", "Line 1: .* Received: image_id, note, without collection, star"),
        (line(*COLUMNS, "note") + line("c", "test/b", "", "", ""), "Line 1: expected every column once"),
        (HEADER + GOOD + line("chest_xray", "test/b", "yes"), "Line 3: expected 4 values, one per column. Received: 3"),
        (HEADER + line("chest_xray", "test/b", "maybe", ""), "Line 2, column star: expected yes or nothing.*'maybe'"),
        (HEADER + line("", "test/b", "", ""), "Line 2, column collection"),
        (HEADER + line("chest_xray", "", "", ""), "Line 2, column image_id"),
        (HEADER + GOOD + GOOD, "Line 3, column image_id: expected an image that no earlier line has.*'test/a'"),
        (HEADER + line("c", "test/b", "", "x" * 501), "Line 2, column note: expected at most 500.*'501 characters'"),
        (HEADER + '"chest', "Line 2: expected comma-separated text"),
        (b"\xff\xfe\x00", "expected a CSV file in UTF-8|Expected a CSV file in UTF-8"),
    ],
)
def test_a_bad_file_is_named(data, message):
    with pytest.raises(NotesError, match=message):
        read_notes(data if isinstance(data, bytes) else data.encode())


def test_the_longest_note_is_taken_and_an_empty_line_of_notes_is_none():
    text = HEADER + line("c", "test/b", "", "x" * MAX_LENGTH) + line("c", "test/d", "", "")
    assert read_notes(text.encode()) == {("c", "test/b"): Note("x" * MAX_LENGTH)}

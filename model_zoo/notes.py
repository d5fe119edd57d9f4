"""What a person writes down about images, and the CSV file that keeps it beyond a visit.

The file is made for a spreadsheet and read back from one. Any columns may stand beside COLUMNS.
"""

import csv
import io
from dataclasses import dataclass

import pandas as pd

from model_zoo.tables import for_spreadsheets, unguarded

MAX_LENGTH = 500
COLUMNS = ("collection", "image_id", "star", "note")
STARRED = "yes"


class NotesError(ValueError):
    """A file of notes cannot be used. The message names line and column, and what was received."""


@dataclass(frozen=True)
class Note:
    """text: at most MAX_LENGTH characters."""

    text: str = ""
    star: bool = False


def write_notes(table: pd.DataFrame) -> bytes:
    """A table with at least COLUMNS as CSV in UTF-8; star is STARRED or ""."""
    return for_spreadsheets(table)


def read_notes(data: bytes) -> dict[tuple[str, str], Note]:
    """(collection id, image id) -> Note, of the images with a star or a text. Raises NotesError."""
    notes, known = {}, set()
    for line, record in _records(data):
        collection_id, image_id, star, text = (unguarded(record[column]) for column in COLUMNS)
        checks = (
            ("collection", collection_id != "", "a collection's id", collection_id),
            ("image_id", image_id != "", "an image's path in its collection", image_id),
            ("image_id", (collection_id, image_id) not in known, "an image that no earlier line has", image_id),
            ("star", star in ("", STARRED), f"{STARRED} or nothing", star),
            ("note", len(text) <= MAX_LENGTH, f"at most {MAX_LENGTH} characters", f"{len(text):,} characters"),
        )
        for column, holds, expected, received in checks:
            if not holds:
                raise NotesError(f"Line {line}, column {column}: expected {expected}. Received: {received[:80]!r}.")
        known.add((collection_id, image_id))
        if star or text:
            notes[collection_id, image_id] = Note(text, bool(star))
    return notes


def _records(data: bytes):
    """(the line on which it ends, column -> value) of each record."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = next(reader, [])
        if missing := [column for column in COLUMNS if column not in header]:
            raise NotesError(
                f"Line 1: expected the columns {', '.join(COLUMNS)}. "
                f"Received: {', '.join(header)[:200] or 'nothing'}, without {', '.join(missing)}."
            )
        if len(set(header)) < len(header):
            raise NotesError(f"Line 1: expected every column once. Received: {', '.join(header)[:200]}.")
        for values in reader:
            if len(values) != len(header):
                raise NotesError(
                    f"Line {reader.line_num}: expected {len(header)} values, one per column. "
                    f"Received: {len(values)}, {','.join(values)[:80]!r}."
                )
            yield reader.line_num, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise NotesError(f"Line {reader.line_num}: expected comma-separated text. Received: {error}.") from None
    except UnicodeDecodeError as error:
        raise NotesError(f"Expected a CSV file in UTF-8. Received: {error}.") from None

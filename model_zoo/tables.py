"""The small CSV files of an export: strict reading, which names what is damaged, and writing in one step; tables for
spreadsheets."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_zoo.files import replacing

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def read_table(
    path: Path, contents: str, columns: tuple[str, ...], error: type[ValueError], growing: bool = False
) -> tuple[list[str], list[list[str]], list[int]]:
    """(header, records, the line on which each record ends) of a CSV file that has at least these columns and one row.

    pandas' own reader skips blank lines and takes surplus values for an index without a word.
    contents: what the file holds, for messages. growing: the file may still be written to, so that there may be no row
    yet, and a last line without an end is left out. Raises error, whose message names the file and, where it can, the
    line.
    """
    records, lines = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader((line for line in file if not growing or line.endswith("\n")), strict=True)
            header = next(reader, [])
            for record in reader:
                if len(record) != len(header):
                    raise error(
                        f"{path}, line {reader.line_num}: expected {len(header)} values, one per column. "
                        f"Received: {len(record)}, {','.join(record)[:80]!r}."
                    )
                records.append(record)
                lines.append(reader.line_num)
    except FileNotFoundError:
        raise error(f"{path}: expected {contents}. Received: no such file.") from None
    except OSError as problem:
        raise error(f"{path}: expected {contents}. Received: {problem.strerror}.") from None
    except csv.Error as problem:
        raise error(f"{path}, line {reader.line_num}: expected comma-separated text. Received: {problem}.") from None
    except UnicodeDecodeError as problem:
        raise error(f"{path}: expected UTF-8 text. Received: {problem}.") from None
    if missing := [column for column in columns if column not in header]:
        raise error(
            f"{path}, line 1: expected the columns {', '.join(columns)}. Received: {', '.join(header)[:200]}, "
            f"without {', '.join(missing)}."
        )
    if twice := [column for place, column in enumerate(header) if column in header[:place]]:
        raise error(
            f"{path}, line 1: expected every column once. Received: {', '.join(header)[:200]}, "
            f"with {twice[0][:80]} twice."
        )
    if not records and not growing:
        raise error(f"{path}: expected at least one row. Received: none.")
    return header, records, lines


def require(
    path: Path,
    rows: "pd.DataFrame",
    lines: Sequence[int],
    checks: Iterable[tuple[str, "pd.Series", str]],
    error: type[ValueError],
) -> None:
    """Raise error for the first row of a table that breaks one of the checks.

    rows: texts as in the file, lines: where each ends, as read_table() gives them. checks: (a column, whether it holds
    in each row, what was expected there).
    """
    for column, holds, expected in checks:
        if not holds.all():
            first = int((~holds).to_numpy().argmax())
            raise error(
                f"{path}, line {lines[first]}, column {column}: expected {expected}. "
                f"Received: {rows[column].iloc[first][:80]!r}."
            )


def read_measures(
    path: Path,
    contents: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    error: type[ValueError],
    span: tuple[int, int] = (-1, 1),
) -> "pd.DataFrame":
    """The rows of a file of figures, empty where there is none: `columns` in their order, image_id, patient_id and key
    as text, the others as float.

    key: no two rows have the same values there. span: the lowest and the highest value that a figure may have.
    contents, error: as in read_table().
    """
    import pandas as pd

    header, records, lines = read_table(path, contents, columns, error)
    rows = pd.DataFrame(records, columns=header, dtype=str)[list(columns)]
    texts = list(dict.fromkeys(("image_id", "patient_id", *key)))
    numbers = rows.drop(columns=texts).apply(pd.to_numeric, errors="coerce").astype(float)
    expected = "a number from {} to {}".format(*span)
    checks = (
        *((column, rows[column] != "", "a name") for column in texts),
        (key[-1], ~rows.duplicated(list(key)), f"no other row of the same {' and '.join(key)}"),
        *((name, numbers[name].between(*span) | (rows[name] == ""), expected) for name in numbers),
    )
    require(path, rows, lines, checks, error)
    return rows.assign(**numbers)


def write_rows(rows: "pd.DataFrame", path: Path) -> None:
    """Put a table in the place of a CSV file. The rows before stay until the new ones are whole."""
    with replacing(path) as file:
        rows.to_csv(file, index=False, lineterminator="\n")


def for_spreadsheets(table: "pd.DataFrame") -> bytes:
    """A CSV file of a table with texts of people: a spreadsheet takes none of them for a formula (an apostrophe stands
    before one that begins like one, OWASP's "CSV injection"), and reads the encoding from the mark at its start."""
    texts = table.select_dtypes(exclude="number").columns
    safe = table.assign(**{column: table[column].map(_guarded) for column in texts})
    return safe.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).encode("utf-8-sig")


def unguarded(text: str) -> str:
    """A cell of for_spreadsheets() as it was."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text

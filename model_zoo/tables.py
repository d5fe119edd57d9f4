"""Strict reading of the small CSV files of an export, so that an edited or cut one is named by file and line."""

import csv
from pathlib import Path


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
                        f"Received: {len(record)}, {','.join(record)!r}."
                    )
                records.append(record)
                lines.append(reader.line_num)
    except FileNotFoundError:
        raise error(f"{path}: expected {contents}. Received: no such file.") from None
    except csv.Error as problem:
        raise error(f"{path}, line {reader.line_num}: expected comma-separated text. Received: {problem}.") from None
    except UnicodeDecodeError as problem:
        raise error(f"{path}: expected UTF-8 text. Received: {problem}.") from None
    if missing := [column for column in columns if column not in header]:
        raise error(
            f"{path}, line 1: expected the columns {', '.join(columns)}. Received: {', '.join(header)}, "
            f"without {', '.join(missing)}."
        )
    if not records and not growing:
        raise error(f"{path}: expected at least one row. Received: none.")
    return header, records, lines

"""Prediction rows: the one source of every figure that LungLens shows.

A file `<collection>-<part>.csv` in an export's predictions/ folder has one row per image:

    image_id     its path in the collection, unique in the file
    patient_id   rows with the same one are resampled together
    label        0 normal, 1 pneumonia
    subtype      kind of pneumonia, empty when normal or unknown
    probability  for pneumonia, 0..1, after temperature
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ("image_id", "patient_id", "label", "subtype", "probability")


class PredictionsError(ValueError):
    """A prediction file cannot be used. The message names file, row and column, and what was received."""


def read_predictions(path: Path) -> pd.DataFrame:
    """The rows of one file, in COLUMNS order: label as int, probability as float, missing texts as "".

    Raises PredictionsError for a file that is missing, truncated or edited into something else.
    """
    header, records, lines = _read_table(path)
    if missing := [column for column in COLUMNS if column not in header]:
        raise PredictionsError(
            f"{path}, line 1: expected the columns {', '.join(COLUMNS)}. Received: {', '.join(header)}, "
            f"without {', '.join(missing)}."
        )
    if not records:
        raise PredictionsError(f"{path}: expected at least one row. Received: none.")
    rows = pd.DataFrame(records, columns=header, dtype=str)[list(COLUMNS)]
    probability = pd.to_numeric(rows["probability"], errors="coerce")
    checks = (
        ("image_id", rows["image_id"] != "", "the image's path in its collection"),
        ("image_id", ~rows["image_id"].duplicated(), "an image that no earlier row has"),
        ("patient_id", rows["patient_id"] != "", "a patient"),
        ("label", rows["label"].isin(["0", "1"]), "0 or 1"),
        ("probability", probability.between(0, 1), "a number from 0 to 1"),
    )
    for column, holds, expected in checks:
        if not holds.all():
            first = int(np.flatnonzero(~holds)[0])
            raise PredictionsError(
                f"{path}, line {lines[first]}, column {column}: expected {expected}. "
                f"Received: {rows[column].iloc[first]!r}."
            )
    return rows.assign(label=rows["label"].astype(int), probability=probability)


def write_predictions(rows: pd.DataFrame, path: Path) -> None:
    """Write rows so that reading them back gives the same; six decimals keep every rate and ranking."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = rows[list(COLUMNS)].assign(probability=np.round(rows["probability"].astype(float), 6))
    rows.to_csv(path, index=False, lineterminator="\n")


def _read_table(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """(header, records, the line on which each record ends).

    pandas' own reader skips blank lines and takes surplus values for an index without a word.
    """
    records, lines = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            for record in reader:
                if len(record) != len(header):
                    raise PredictionsError(
                        f"{path}, line {reader.line_num}: expected {len(header)} values, one per column. "
                        f"Received: {len(record)}, {','.join(record)!r}."
                    )
                records.append(record)
                lines.append(reader.line_num)
    except FileNotFoundError:
        raise PredictionsError(f"{path}: expected prediction rows. Received: no such file.") from None
    except csv.Error as error:
        raise PredictionsError(
            f"{path}, line {reader.line_num}: expected comma-separated text. Received: {error}."
        ) from None
    except UnicodeDecodeError as error:
        raise PredictionsError(f"{path}: expected UTF-8 text. Received: {error}.") from None
    return header, records, lines

"""Prediction rows: the one source of every figure that LungLens shows.

A file `<collection>-<part>.csv` in an export's predictions/ folder has one row per image:

    image_id     its path in the collection, unique in the file
    patient_id   rows with the same one are resampled together
    label        0 normal, 1 pneumonia
    subtype      kind of pneumonia, empty when normal or unknown
    probability  for pneumonia, 0..1, after temperature, with DECIMALS decimals; earlier rows have six, and so many
                 alike of a network that is sure
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from model_zoo.tables import read_table, require, write_rows

COLUMNS = ("image_id", "patient_id", "label", "subtype", "probability")
# Enough to rank answers up to log-odds of 27: networks are surer of many films than six decimals tell apart.
DECIMALS = 12
# Only where a committee scored a folder: disagreement.spread of its members' probabilities, 0..0.5.
DISAGREEMENT = "disagreement"
# Only of a scored folder: lungs.gate.DOUBTS of the image, "; " between them, "" where it seems to be a chest film.
DOUBTS = "doubts"


class PredictionsError(ValueError):
    """A prediction file cannot be used. The message names file, row and column, and what was received."""


def read_predictions(path: Path) -> pd.DataFrame:
    """The rows of one file, in COLUMNS order: label as int, probability as float, missing texts as "".

    Raises PredictionsError for a file that is missing, truncated or edited into something else.
    """
    rows, _ = _checked_rows(path, labels={"0": 0, "1": 1})
    return rows.astype({"label": int})


def read_scores(path: Path) -> pd.DataFrame:
    """The rows of a file that model_zoo.batch may still be writing: as read_predictions(), but there may be none yet,
    label is an Int64 that may be missing, and a last line without an end is left out. With DOUBTS, as text, and
    DISAGREEMENT, as float, if the file has it."""
    columns, labels = (*COLUMNS, DOUBTS), {"0": 0, "1": 1, "": None}
    rows, _ = _checked_rows(path, labels, columns, growing=True, optional=(DISAGREEMENT,))
    return rows


def unknown_images(path: Path, known: Collection[str]) -> PredictionsError | None:
    """An error that names the first row whose image is not among the known ones, None when there is no such row.

    It is returned and not raised, because the rows can be used: a copy of a collection may lack images.
    Raises PredictionsError as read_predictions().
    """
    rows, lines = _checked_rows(path, labels={"0": 0, "1": 1})
    unknown = np.flatnonzero(~rows["image_id"].isin(known))
    if not len(unknown):
        return None
    others = f" {len(unknown) - 1:,} more rows are like it." if len(unknown) > 1 else ""
    return PredictionsError(
        f"{path}, line {lines[unknown[0]]}, column image_id: expected an image of the collection on this machine. "
        f"Received: {rows['image_id'].iloc[unknown[0]]!r}.{others}"
    )


def _checked_rows(
    path: Path,
    labels: dict[str, int | None],
    columns: tuple[str, ...] = COLUMNS,
    growing: bool = False,
    optional: tuple[str, ...] = (),
) -> tuple[pd.DataFrame, list[int]]:
    """(rows, the line of each). labels: what may stand in the column label, and what it means. columns: those wanted,
    of COLUMNS and texts. growing: as in tables.read_table(). optional: columns of numbers from 0 to 1 that are kept
    where the file has them."""
    header, records, lines = read_table(path, "prediction rows", columns, PredictionsError, growing)
    optional = [column for column in optional if column in header]
    rows = pd.DataFrame(records, columns=header, dtype=str)[[*columns, *optional]]
    numbers = rows[["probability", *optional]].apply(pd.to_numeric, errors="coerce").astype(float)
    checks = (
        ("image_id", rows["image_id"] != "", "the image's path in its collection"),
        ("image_id", ~rows["image_id"].duplicated(), "an image that no earlier row has"),
        ("patient_id", rows["patient_id"] != "", "a patient"),
        ("label", rows["label"].isin(labels), " or ".join(label or "nothing" for label in labels)),
        *((column, numbers[column].between(0, 1), "a number from 0 to 1") for column in numbers),
    )
    require(path, rows, lines, checks, PredictionsError)
    return rows.assign(label=rows["label"].map(labels).astype("Int64"), **numbers), lines


def write_predictions(rows: pd.DataFrame, path: Path) -> None:
    """tables.write_rows of rows of which reading back gives the same, but for what DECIMALS cut off."""
    write_rows(rows[list(COLUMNS)].assign(probability=np.round(rows["probability"].astype(float), DECIMALS)), path)

"""Score a folder of images, batch by batch, with the rows on disk as it goes.

What a model says of a folder lies in two files in `<scored_root()>/<collection id>/`. Their names hold a digest of the
weights, the temperature, for a committee its members' too, and the chest gate, so that what a changed one says never
mixes with what it said before:

    <digest>.csv             predictions.COLUMNS; `stamp`, the image's size and time of change when it was read;
                             predictions.DOUBTS; then DISAGREEMENT for a committee. label is empty when unknown;
                             patient_id is the image itself
    <digest>-unreadable.csv  image_id and reason

At most one batch of model inputs is in memory, and what the folder's listing and the stamps need. A batch is on disk
(fsync) before the next begins, so that a run can be stopped, or killed, at any time and goes on where it was. Each run
first brings the rows into line with the folder: a row stays when its image is still there and its stamp is the same;
anything else (a line cut off or twice, or with values that no run writes) is dropped and its image scored again.
"""

import csv
import hashlib
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cases.collections.base import Entry
from cases.collections.folder import FolderCollection
from cases.radiograph import Radiograph, RadiographError
from cases.settings import scored_root
from model_zoo.files import replacing
from model_zoo.lungs import gate
from model_zoo.predictions import COLUMNS, DECIMALS, DISAGREEMENT, DOUBTS
from model_zoo.registry import Export

if TYPE_CHECKING:
    from model_zoo.engine import Reader

BATCH = 32
SCORE_COLUMNS = (*COLUMNS, "stamp", DOUBTS)
UNREADABLE_COLUMNS = ("image_id", "reason")


@dataclass(frozen=True)
class Results:
    """Where one model's results on one folder lie. columns: of scores."""

    scores: Path
    unreadable: Path
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """done: images with a row or a reason, of total. unreadable: those with a reason."""

    done: int
    unreadable: int
    total: int


def results_of(collection_id: str, export: Export) -> Results:
    temperatures = " ".join(repr(model.card.temperature) for model in (export, *export.members))
    digest = hashlib.sha256(f"{export.fingerprint} {temperatures} {gate.fingerprint()}".encode()).hexdigest()[:16]
    folder = scored_root() / collection_id
    columns = (*SCORE_COLUMNS, DISAGREEMENT) if export.is_committee else SCORE_COLUMNS
    return Results(folder / f"{digest}.csv", folder / f"{digest}-unreadable.csv", columns)


def score(
    collection: FolderCollection,
    engine: "Reader",
    lock: AbstractContextManager,
    doubts_of: Callable[[Radiograph], tuple[str, ...]],
    results: Results,
) -> Generator[Progress, None, None]:
    """Score what has no row yet. Yields before the first batch and after each; whoever stops asking stops the run.

    lock: held while the engine runs, and not while images are read. doubts_of: as lungs.gate.Look.doubts. Images that
    cannot be read are tried again by every run. One run at a time may write to results. Raises OSError when it cannot.
    """
    entries = collection.entries()
    results.scores.parent.mkdir(parents=True, exist_ok=True)
    kept = _bring_into_line(results, collection, entries)
    _replace(results.unreadable, UNREADABLE_COLUMNS, ())
    left = [entry for entry in entries if entry.id not in kept]
    unreadable = 0
    yield Progress(len(kept), unreadable, len(entries))
    for start in range(0, len(left), BATCH):
        batch = left[start : start + BATCH]
        rows, reasons = _score_batch(collection, batch, engine, lock, doubts_of, results.columns)
        _append(results.scores, rows)
        _append(results.unreadable, reasons)
        unreadable += len(reasons)
        yield Progress(len(kept) + start + len(batch), unreadable, len(entries))


def read_unreadable(path: Path) -> list[tuple[str, str]]:
    """(image id, reason) of the images that could not be read; a line that a run is still writing is left out."""
    return [tuple(record) for record in _whole_records(path, len(UNREADABLE_COLUMNS))]


def _score_batch(
    collection: FolderCollection,
    batch: list[Entry],
    engine: "Reader",
    lock: AbstractContextManager,
    doubts_of: Callable[[Radiograph], tuple[str, ...]],
    columns: tuple[str, ...],
) -> tuple[list[tuple], list[tuple]]:
    """Rows of the images that can be read, in order, and (image id, reason) of the others."""
    images, read, reasons = [], [], []
    for entry in batch:
        # Before the file is read, so that a change while it is read is seen by the next run.
        stamp = collection.stamp(entry.id)
        try:
            radiograph = collection.load(entry.id)
        except RadiographError as error:
            reasons.append((entry.id, " ".join(str(error).split())))
        else:
            images.append(engine.input(radiograph.pixels))
            read.append((entry, stamp, "; ".join(doubts_of(radiograph))))
    if not images:
        return [], reasons
    inputs = np.stack(images)
    with lock:
        answers = engine.scores_and_spread(inputs) if DISAGREEMENT in columns else (engine.scores(inputs),)
    rows = [
        (
            entry.id,
            entry.id,
            _text(entry.label),
            entry.subtype or "",
            f"{value:.{DECIMALS}f}",
            stamp,
            doubts,
            *(f"{s:.{DECIMALS}f}" for s in spread),
        )
        for (entry, stamp, doubts), value, *spread in zip(read, *answers, strict=True)
    ]
    return rows, reasons


def _bring_into_line(results: Results, collection: FolderCollection, entries: Iterable[Entry]) -> set[str]:
    """Rewrite the rows so that only those of the folder as it is now stay, and return their image ids."""
    known = {entry.id: [entry.id, entry.id, _text(entry.label), entry.subtype or ""] for entry in entries}
    kept = {}
    for record in _whole_records(results.scores, len(results.columns)):
        image_id, (probability, stamp, doubts, *spread) = record[0], record[4:]
        sound = all(map(_is_probability, (probability, *spread))) and set(doubts.split("; ")) <= {"", *gate.DOUBTS}
        if known.get(image_id) == record[:4] and sound and stamp == collection.stamp(image_id):
            kept[image_id] = record
    _replace(results.scores, results.columns, kept.values())
    return set(kept)


def _whole_records(path: Path, width: int) -> Iterator[list[str]]:
    """The records below the header that have an end and the right number of values; each is one line."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        next(file, None)
        for line in file:
            try:
                record = next(csv.reader([line]), [])
            except csv.Error:
                continue
            if line.endswith("\n") and len(record) == width:
                yield record


def _replace(path: Path, header: Iterable[str], records: Iterable[Iterable[str]]) -> None:
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(records)


def _append(path: Path, records: list[tuple]) -> None:
    if not records:
        return
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(records)
        file.flush()
        os.fsync(file.fileno())


def _text(label: int | None) -> str:
    return "" if label is None else str(label)


def _is_probability(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return math.isfinite(value) and 0 <= value <= 1

"""Which training images a model sees as most like another one: nearest neighbours in its own feature space.

An image's features are the means of the feature maps at the heatmap layer, and likeness is their cosine similarity. The
features of a collection's training images are computed once per model and kept in one file:

    image_ids  (n,) texts
    features   float32 (n, maps); nan in the row of an image that cannot be read

Its name holds a digest of the weights and the layer, so that a changed model starts anew. It is replaced in one step
every few batches, so that a run can be stopped, or killed, and goes on where it was.
"""

import hashlib
from collections.abc import Collection as Container
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from cases.arrays import read_array
from cases.collections.base import Collection, Entry
from cases.radiograph import RadiographError
from cases.settings import cache_root
from model_zoo.batch import Progress
from model_zoo.files import replacing
from model_zoo.registry import Export

if TYPE_CHECKING:
    from model_zoo.engine import Engine

BATCH, SAVE_EVERY = 32, 16


@dataclass(frozen=True, eq=False)
class Features:
    """What one file holds."""

    image_ids: tuple[str, ...]
    values: np.ndarray


NONE = Features((), np.empty((0, 0), np.float32))


@dataclass(frozen=True)
class Neighbour:
    """similarity: cosine, -1..1; 1 is the same to the model."""

    image_id: str
    similarity: float


def features_path(export: Export) -> Path:
    card = export.card
    digest = hashlib.sha256(f"{card.weights.sha256} {card.heatmap.layer}".encode()).hexdigest()[:16]
    return cache_root() / "features" / f"{card.data.collection}-{digest}.npz"


def training_entries(entries: Iterable[Entry], predicted: Container[str]) -> tuple[Entry, ...]:
    """What a model may have learnt from: labelled, outside the test split and in none of its prediction sets.

    predicted: the image ids of those sets.
    """
    return tuple(
        entry for entry in entries if entry.label is not None and entry.split != "test" and entry.id not in predicted
    )


def read_features(path: Path) -> Features:
    """What is stored; empty for a file that is missing or damaged, so that it is computed again."""
    try:
        image_ids, values = read_array(path, "image_ids"), read_array(path, "features")
    except ValueError:
        return NONE
    if image_ids.ndim != 1 or values.ndim != 2 or len(image_ids) != len(values) or values.dtype != np.float32:
        return NONE
    return Features(tuple(image_ids.tolist()), values)


def gather(
    collection: Collection, entries: Sequence[Entry], engine: "Engine", lock: AbstractContextManager, path: Path
) -> Generator[Progress, None, None]:
    """Compute the features that path lacks. Yields before the first batch and after each; whoever stops asking stops it
    and keeps what is done. One run at a time may write to path. Raises OSError when it cannot.

    lock: held while the engine runs, and not while images are read.
    """
    stored = read_features(path)
    known = dict(zip(stored.image_ids, stored.values, strict=True))
    left = [entry.id for entry in entries if entry.id not in known]
    unreadable = 0
    try:
        yield Progress(len(entries) - len(left), unreadable, len(entries))
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            rows = _features_of(collection, batch, engine, lock)
            unreadable += int(np.isnan(rows).any(axis=1).sum())
            known.update(zip(batch, rows, strict=True))
            if start // BATCH % SAVE_EVERY == SAVE_EVERY - 1:
                _write(path, known)
            yield Progress(len(entries) - len(left) + start + len(batch), unreadable, len(entries))
    finally:
        if known:
            _write(path, known)


def nearest(features: Features, query: np.ndarray, among: Container[str], count: int = 5) -> list[Neighbour]:
    """The images among `among` that are most like query, float32 (maps,), the most alike first."""
    usable = np.array([image_id in among for image_id in features.image_ids]) & ~np.isnan(features.values).any(axis=1)
    places = np.flatnonzero(usable)
    if not len(places):
        return []
    similarity = cosine_similarity(query[np.newaxis], features.values[places])[0]
    best = np.argsort(-similarity, kind="stable")[:count]
    return [Neighbour(features.image_ids[places[i]], float(similarity[i])) for i in best]


def _features_of(
    collection: Collection, image_ids: Sequence[str], engine: "Engine", lock: AbstractContextManager
) -> np.ndarray:
    card = engine.export.card
    images = np.zeros((len(image_ids), card.side, card.side, card.channels), np.uint8)
    readable = np.ones(len(image_ids), bool)
    for i, image_id in enumerate(image_ids):
        try:
            images[i] = engine.input(collection.load(image_id).pixels)
        except RadiographError:
            readable[i] = False
    with lock:
        rows = engine.features(images)
    rows[~readable] = np.nan
    return rows


def _write(path: Path, known: dict[str, np.ndarray]) -> None:
    with replacing(path, "wb") as file:
        np.savez(file, image_ids=np.array(list(known)), features=np.stack(list(known.values())).astype(np.float32))

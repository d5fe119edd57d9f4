"""Images in memory, patients split, batches drawn.

ImageSet holds what a training run reads: uint8 images (n, side, side, channels) and the entries they came from.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from cases.preprocess import model_input
from train.recipe import Recipe


@dataclass(frozen=True)
class ImageSet:
    """images: uint8 (n, side, side, channels), or float32 features of them (n, rows, columns, maps).
    labels: float32 (n,), 0 normal or 1 pneumonia. entries: n of them."""

    images: np.ndarray
    labels: np.ndarray
    entries: tuple[Entry, ...]


def development_entries(collection: Collection) -> tuple[Entry, ...]:
    """What training may look at: every labelled image outside the test split. The official val split of 16 images is
    too small to measure anything, so it joins the train split."""
    return tuple(entry for entry in collection.entries() if entry.split != "test" and entry.label is not None)


def random_split(entries: Sequence[Entry], share: float, seed: int) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(the rest, a random share), images drawn regardless of patients, as some published protocols do."""
    kept = np.random.default_rng([seed, 25]).permutation(len(entries))[: round(share * len(entries))]
    chosen = set(kept.tolist())
    parts = [[], []]
    for i, entry in enumerate(entries):
        parts[i in chosen].append(entry)
    return tuple(parts[0]), tuple(parts[1])


def patient_split(
    entries: Sequence[Entry], validation_share: float, seed: int
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(training, validation): whole patients, classes in equal proportion, about validation_share of the images.

    Patient numbers may restart in each folder of the official split, so that one number in two folders may or may not
    be one child; here it counts as one, which can only keep more apart, never less.
    """
    folds = StratifiedGroupKFold(n_splits=round(1 / validation_share), shuffle=True, random_state=seed)
    labels = [entry.label for entry in entries]
    patients = [re.sub(r"^(train|val|test)/", "", entry.patient_id or entry.id) for entry in entries]
    training, validation = next(folds.split(labels, labels, patients))
    return tuple(entries[i] for i in training), tuple(entries[i] for i in validation)


def load_images(collection: Collection, entries: Iterable[Entry], side: int, channels: int) -> ImageSet:
    """Decode and resize. Raises RadiographError, naming the file, at the first image that cannot be read."""
    entries = tuple(entries)
    images = np.empty((len(entries), side, side, channels), np.uint8)
    for i, entry in enumerate(tqdm(entries, desc=f"reading {collection.id}", unit="image", mininterval=1)):
        images[i] = model_input(collection.load(entry.id).pixels, side, channels)
    return ImageSet(images, np.array([entry.label for entry in entries], np.float32), entries)


def unseen_series(entries: Sequence[Entry]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(the rest, unseen): a stand-in for a test split that differs, cut from what training may look at.

    Unseen are the normal films of the series "NORMAL2-IM-" and those with viral pneumonia, the kinds that the rest,
    normals of "IM-" and bacterial pneumonias, has none of. A bacterial film of a patient with a viral one is in
    neither.
    """
    unseen = tuple(
        entry
        for entry in entries
        if (entry.subtype == "virus" if entry.label else entry.id.rpartition("/")[2].startswith("NORMAL2-"))
    )
    patients, chosen = {entry.patient_id for entry in unseen}, {entry.id for entry in unseen}
    return tuple(e for e in entries if e.id not in chosen and e.patient_id not in patients), unseen


def development_parts(recipe: Recipe, collection: Collection) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(training, validation) of a recipe, from its collection."""
    development, _ = random_split(development_entries(collection), recipe.random_test_share, recipe.seed)
    if recipe.held_out_series:
        development, _ = unseen_series(development)
    return patient_split(development, recipe.validation_share, recipe.seed)


def development_sets(recipe: Recipe) -> tuple[ImageSet, ImageSet]:
    """development_parts() with their images."""
    collection = open_collection(recipe.collection)
    parts = development_parts(recipe, collection)
    training, validation = (load_images(collection, part, recipe.side, recipe.channels) for part in parts)
    return training, validation


class Batches(keras.utils.PyDataset):
    """Batches of an ImageSet in an order that depends on (seed, epoch) only, so that a resumed run sees the same ones.

    balanced: each batch position is a normal or a pneumonia with equal chance; the rarer class is then seen more than
    once per epoch and some images of the commoner one not at all. steps: batches per epoch; 0 for as many as there are
    images. share: the rows of each batch to give, for one of several processes. mixup: as a recipe's.
    """

    def __init__(
        self,
        data: ImageSet,
        batch_size: int,
        balanced: bool,
        seed: int,
        first_epoch: int = 0,
        steps: int = 0,
        share: slice = slice(None),
        mixup: float = 0.0,
    ):
        super().__init__()
        self.mixup = mixup
        self.share = share
        self.data, self.batch_size, self.balanced, self.seed = data, batch_size, balanced, seed
        self.steps = steps or len(data.labels) // batch_size
        self.count = steps * batch_size or len(data.labels)
        self.epoch = first_epoch
        self._draw()

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int):
        batch = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images, labels = self.data.images[batch[self.share]], self.data.labels[batch[self.share], np.newaxis]
        if not self.mixup:
            return images, labels
        rng = np.random.default_rng([self.seed, self.epoch, index])
        own = rng.beta(self.mixup, self.mixup, (len(batch), 1)).astype(np.float32)[self.share]
        partners = rng.permutation(batch)[self.share]
        other, share = self.data.images[partners], own[..., np.newaxis, np.newaxis]
        return share * images + (1 - share) * other, own * labels + (1 - own) * self.data.labels[partners, np.newaxis]

    def on_epoch_end(self):
        self.epoch += 1
        self._draw()

    def _draw(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        if not self.balanced:
            self.order = _shuffled(rng, np.arange(len(self.data.labels)), self.count)
            return
        pneumonia = rng.random(self.count) < 0.5
        self.order = np.empty(self.count, int)
        for label, places in ((1, pneumonia), (0, ~pneumonia)):
            members = np.flatnonzero(self.data.labels == label)
            self.order[places] = _shuffled(rng, members, int(places.sum()))


def _shuffled(rng: np.random.Generator, members: np.ndarray, count: int) -> np.ndarray:
    """`count` of the members in whole shuffles one after the other, so that none is drawn a third time before all were
    drawn twice."""
    return np.concatenate([rng.permutation(members) for _ in range(-(-count // len(members)))])[:count]

"""Images in memory, patients split, batches drawn.

ImageSet holds what a training run reads: uint8 images (n, side, side, channels) and the entries they came from.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, CollectionUnavailable, Entry
from cases.preprocess import model_input
from cases.settings import data_root
from model_zoo.predictions import PredictionsError
from model_zoo.registry import ExportError
from train.image_size import native_sizes
from train.recipe import Recipe, RecipeError

# Of each class, the films whose size misleads most.
UNSEEN_SHARE = 0.3
# How many images a network is given at a time when it is not trained.
PREDICTED = 64


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
    Raises RecipeError for too few patients of a class to have some in validation.
    """
    parts = round(1 / validation_share)
    folds = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
    labels = [entry.label for entry in entries]
    patients = [re.sub(r"^(train|val|test)/", "", entry.patient_id or entry.id) for entry in entries]
    counts = [len({patient for patient, its in zip(patients, labels, strict=True) if its == label}) for label in (0, 1)]
    if min(counts) < parts:
        raise RecipeError(
            f"Expected training images of {parts} patients or more of each class, one in {parts} of whom is kept for "
            f"validation. Received: {counts[0]} normal, {counts[1]} with pneumonia."
        )
    training, validation = next(folds.split(labels, labels, patients))
    return tuple(entries[i] for i in training), tuple(entries[i] for i in validation)


def stored_images(read: Callable[[], pd.DataFrame]) -> set[str]:
    """Ids of the images of stored rows. read: reads them; none where it cannot, because there are none yet or they are
    damaged, for commands that put them right."""
    try:
        return set(read()["image_id"])
    except (ExportError, PredictionsError):
        return set()


def refuse_fewer(collection: Collection, entries: Iterable[Entry], stored: set[str]) -> None:
    """Raises CollectionUnavailable when images are missing that rows are stored of: those of fewer would take their
    place. entries: the images that are to be measured. Phantoms are never missing."""
    missing = stored - {entry.id for entry in entries}
    if missing and not collection.synthetic:
        raise CollectionUnavailable(
            f"Expected the {len(stored)} images of {collection.id} that rows are stored of, in {data_root()}. "
            f"Received: {len(missing)} of them missing, {min(missing)} among them."
        )


def entries_of(collection: Collection, ids: Sequence[str]) -> tuple[Entry, ...]:
    """The entries of images that a run learnt from or held out, in the order of ids. Raises CollectionUnavailable when
    some are missing."""
    by_id = {entry.id: entry for entry in collection.entries()}
    if missing := set(ids) - by_id.keys():
        raise CollectionUnavailable(
            f"Expected the {len(ids)} images of {collection.id} that a run lists in its split.json, in {data_root()}. "
            f"Received: {len(missing)} of them missing, {min(missing)} among them."
        )
    return tuple(by_id[image_id] for image_id in ids)


def load_images(collection: Collection, entries: Iterable[Entry], side: int, channels: int) -> ImageSet:
    """Decode and resize. Raises RadiographError, naming the file, at the first image that cannot be read."""
    entries = tuple(entries)
    images = np.empty((len(entries), side, side, channels), np.uint8)
    for i, entry in enumerate(tqdm(entries, desc=f"reading {collection.id}", unit="image", mininterval=1)):
        images[i] = model_input(collection.load(entry.id).pixels, side, channels)
    return ImageSet(images, np.array([entry.label for entry in entries], np.float32), entries)


def predicted(network: keras.Model, images: np.ndarray, what: str) -> np.ndarray:
    """What a network gives for images (n, ...), in batches of 64, under a bar that says what is done."""
    with tqdm(total=-(-len(images) // PREDICTED), desc=what, unit="batch", mininterval=1) as bar:
        return network.predict(images, batch_size=PREDICTED, verbose=0, callbacks=[_Advance(bar)])


class _Advance(keras.callbacks.Callback):
    def __init__(self, bar: tqdm):
        super().__init__()
        self.bar = bar

    def on_predict_batch_end(self, batch, logs=None):
        self.bar.update()


def unseen_series(collection: Collection, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The normal films of the series "NORMAL2-IM-" and those with viral pneumonia, kinds that the rest, normals of
    "IM-" and bacterial pneumonias, has none of."""
    return tuple(
        entry
        for entry in entries
        if (entry.subtype == "virus" if entry.label else entry.id.rpartition("/")[2].startswith("NORMAL2-"))
    )


def unseen_sizes(collection: Collection, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The flattest normal films and the tallest with pneumonia, UNSEEN_SHARE of each class, by the height at which they
    were published: those of which their size says the wrong thing. None is of unknown size, and a quarter of their
    patients is left out, so that training sees that there are such films.

    Raises RecipeError for a collection that does not tell sizes.
    """
    heights = native_sizes(collection, entries)[:, 1]
    labels = np.array([entry.label for entry in entries])
    highest_normal = np.nanquantile(heights[labels == 0], UNSEEN_SHARE)
    lowest_ill = np.nanquantile(heights[labels == 1], 1 - UNSEEN_SHARE)
    misleading = np.where(labels == 1, heights > lowest_ill, heights < highest_normal)
    found = [entry for entry, misleads in zip(entries, misleading, strict=True) if misleads]
    patients = np.random.default_rng(0).permutation(sorted({entry.patient_id for entry in found}))
    left = set(patients[: len(patients) // 4])
    return tuple(entry for entry in found if entry.patient_id not in left)


# Stand-ins for a test split that differs, cut from what training may look at.
UNSEEN = {"series": unseen_series, "size": unseen_sizes}


def without_unseen(
    kind: str, collection: Collection, entries: Sequence[Entry]
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(the rest, unseen), the latter of kind UNSEEN[kind]. Other films of a patient of theirs are in neither."""
    unseen = UNSEEN[kind](collection, entries)
    patients, chosen = {entry.patient_id for entry in unseen}, {entry.id for entry in unseen}
    return tuple(e for e in entries if e.id not in chosen and e.patient_id not in patients), unseen


def development_parts(recipe: Recipe, collection: Collection) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(training, validation) of a recipe, from its collection. Raises RecipeError as patient_split() and
    without_unseen() do."""
    development, _ = random_split(development_entries(collection), recipe.random_test_share, recipe.seed)
    if recipe.held_out:
        development, _ = without_unseen(recipe.held_out, collection, development)
    return patient_split(development, recipe.validation_share, recipe.seed)


def development_sets(recipe: Recipe) -> tuple[ImageSet, ImageSet]:
    """development_parts() with their images. Raises RecipeError for less than a batch to train on, too."""
    collection = open_collection(recipe.collection)
    parts = training, validation = development_parts(recipe, collection)
    if len(training) < recipe.batch_size:
        raise RecipeError(
            f"Expected at least a batch of {recipe.batch_size} images to train on. Received: {len(training)}, and "
            f"{len(validation)} for validation."
        )
    training, validation = (load_images(collection, part, recipe.side, recipe.channels) for part in parts)
    return training, validation


def height_strata(collection: Collection, entries: Sequence[Entry]) -> np.ndarray:
    """The tenth that each image is in by the height at which it was published, 0..9, or 10 where that is unknown: (n,).

    Raises RecipeError for a collection that does not tell sizes.
    """
    heights = native_sizes(collection, entries)[:, 1]
    edges = np.nanquantile(heights, np.linspace(0.1, 0.9, 9))
    return np.where(np.isnan(heights), 10, np.searchsorted(edges, heights, side="right"))


class Batches(keras.utils.PyDataset):
    """Batches of an ImageSet in an order that depends on (seed, epoch) only, so that a resumed run sees the same ones.

    balanced: each batch position is a normal or a pneumonia with equal chance; the rarer class is then seen more than
    once per epoch and some images of the commoner one not at all. strata: (n,) whole numbers, the group of each image;
    with balanced, a position is then from a group with a chance that is the same for both classes, in proportion to
    n0 n1 / (n0 + n1), where the group has n0 normals and n1 pneumonias (overlap weights, Li et al. 2018). steps:
    batches per epoch; 0 for as many as there are images. share: the rows of each batch to give, for one of several
    processes. mixup: as a recipe's. Raises RecipeError when balanced and no group has both classes.
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
        strata: np.ndarray | None = None,
    ):
        super().__init__()
        self.mixup = mixup
        self.strata = np.zeros(len(data.labels), int) if strata is None else strata
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
        groups = np.unique(self.strata)
        counts = np.array([[np.sum(self._is_in(label, group)) for label in (0, 1)] for group in groups])
        overlap = counts.prod(axis=1) / counts.sum(axis=1)
        if not overlap.any():
            raise RecipeError(
                f"Expected normals and pneumonias in at least one of the {len(groups)} groups to draw from. Received: "
                "no group with both."
            )
        # A generator of its own: batches without strata stay what they were.
        drawn = np.random.default_rng([self.seed, self.epoch, 1]).choice(groups, self.count, p=overlap / overlap.sum())
        for group in groups[overlap > 0]:
            for label, places in ((1, pneumonia), (0, ~pneumonia)):
                chosen = places & (drawn == group)
                members = np.flatnonzero(self._is_in(label, group))
                self.order[chosen] = _shuffled(rng, members, int(chosen.sum()))

    def _is_in(self, label: int, group: int) -> np.ndarray:
        return (self.data.labels == label) & (self.strata == group)


def _shuffled(rng: np.random.Generator, members: np.ndarray, count: int) -> np.ndarray:
    """`count` of the members in whole shuffles one after the other, so that none is drawn a third time before all were
    drawn twice."""
    shuffles = [rng.permutation(members) for _ in range(-(-count // len(members)))]
    # An epoch of few steps may draw nothing of a class in a group.
    return np.concatenate([members[:0], *shuffles])[:count]

"""Images with their lung masks, for training and for measuring.

Real masks lie in `lung_masks/` of the data folder, in the layout of the collection's images, as PNG with 0 or 255 of
any size; they are those of V7 Labs (CC BY 4.0), matched to the Kermany films. Phantoms bring their own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, CollectionUnavailable, Entry
from cases.phantom import Phantom
from cases.preprocess import model_input
from cases.radiograph import Radiograph
from cases.settings import data_root
from model_zoo.registry import Export
from train.data import development_entries, patient_split, refuse_fewer
from train.lungs.not_chests import not_a_chest

MASKS_LICENCE = "lung masks: V7 Labs, CC BY 4.0"
# Of the training images, how many show no chest.
NOT_CHESTS = 0.15


@dataclass(frozen=True)
class MaskedImages:
    """pairs: uint8 (n, side, side, 2), the image and its mask, 0 outside the lungs to 255 inside.
    entries: n of them, or none where images were made up."""

    pairs: np.ndarray
    entries: tuple[Entry, ...]


def masks_root() -> Path:
    """Raises CollectionUnavailable when the masks are not there."""
    root = data_root() / "lung_masks"
    if not root.is_dir():
        raise CollectionUnavailable(
            f"Expected the lung masks of the Kermany films, as train|test/NORMAL|PNEUMONIA/*.png, in {root}. Received: "
            "no such folder. Set the environment variable LUNGLENS_DATA to the folder that holds lung_masks."
        )
    return root


def mask_path(image_id: str) -> Path:
    return (masks_root() / image_id).with_suffix(".png")


def true_mask(radiograph: Radiograph, entry: Entry) -> np.ndarray:
    """bool (height, width): where the lungs of an entry's radiograph are. Any size; the image's own for phantoms."""
    if isinstance(radiograph, Phantom):
        return radiograph.lung_fields > 0
    mask = cv2.imread(str(mask_path(entry.id)), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise CollectionUnavailable(f"Expected a readable mask. Received: {mask_path(entry.id)}.")
    return mask > 127


def with_masks(collection: Collection, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries that a mask is known for: of the 5,232 published films outside the test split, 5,112."""
    return tuple(entry for entry in entries if collection.synthetic or mask_path(entry.id).exists())


def masked_test_films(collection: Collection, stored: set[str]) -> tuple[Entry, ...]:
    """The entries of the test split, none of which lacks a mask: the published masks have all 624 test films.

    stored: ids of images that must all be there (data.refuse_fewer). Raises CollectionUnavailable when films or masks
    are missing.
    """
    entries = collection.entries("test")
    refuse_fewer(collection, entries, stored)
    known = with_masks(collection, entries)
    if not known or len(known) < len(entries):
        raise CollectionUnavailable(
            f"Expected test films of {collection.id} in {data_root() / collection.id}, and a lung mask of each in "
            f"{data_root() / 'lung_masks'}. Received: {len(entries)} films, {len(known)} of them with a mask."
        )
    return entries


def evaluated_images(exports: Iterable[Export], name: str) -> set[str]:
    """Ids of the images of one prediction set, such as "chest_xray-test", that any of these exports has rows of.
    Raises PredictionsError for rows that cannot be used."""
    stored = [export.predictions(name)["image_id"] for export in exports if name in export.prediction_sets()]
    return set().union(*stored)


def masked_images(collection: Collection, entries: Iterable[Entry], side: int) -> MaskedImages:
    entries = with_masks(collection, entries)
    pairs = np.empty((len(entries), side, side, 2), np.uint8)
    for i, entry in enumerate(tqdm(entries, desc=f"reading {collection.id}", unit="image", mininterval=1)):
        radiograph = collection.load(entry.id)
        pairs[i, ..., :1] = model_input(radiograph.pixels, side, 1)
        pairs[i, ..., 1:] = model_input(255 * true_mask(radiograph, entry).astype(np.uint8), side, 1)
    return MaskedImages(pairs, entries)


def development_sets(collection_id: str, side: int, seed: int) -> tuple[MaskedImages, MaskedImages]:
    """(training, validation). Both hold whole patients of the collection; training also has the phantoms' train split
    and images without a chest. Raises RecipeError for too few patients, CollectionUnavailable without masks for one of
    the two."""
    collection = open_collection(collection_id)
    parts = patient_split(development_entries(collection), 0.15, seed)
    counts = [len(with_masks(collection, part)) for part in parts]
    if not all(counts):
        raise CollectionUnavailable(
            f"Expected lung masks of the training and of the validation images of {collection.id}. Received: "
            f"{counts[0]} and {counts[1]}."
        )
    training, validation = (masked_images(collection, part, side) for part in parts)
    rng = np.random.default_rng(seed)
    films = rng.choice(training.pairs[..., 0], round(NOT_CHESTS * len(training.pairs)))
    empty = np.zeros((len(films), side, side, 2), np.uint8)
    for i, film in enumerate(films):
        empty[i, ..., 0] = not_a_chest(rng, film)
    more = [training.pairs, empty]
    if not collection.synthetic:
        phantoms = open_collection("phantom")
        more.append(masked_images(phantoms, phantoms.entries("train"), side).pairs)
    return MaskedImages(np.concatenate(more), training.entries), validation

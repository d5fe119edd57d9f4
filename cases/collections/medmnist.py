"""PneumoniaMNIST (Yang et al. 2023, doi 10.1038/s41597-022-01721-8): small copies of the Kermany films, as .npz files.

    medmnist/  pneumoniamnist.npz (28 px), pneumoniamnist_64.npz, pneumoniamnist_128.npz, pneumoniamnist_224.npz

Each file holds train|val|test _images, uint8 (n, side, side), and _labels, (n,) or (n, 1), 0 normal or 1 pneumonia; the
largest file present is used. An image's id is its split and its place in that array ("test/0001"). Patients and
subtypes are not told.

MedMNIST states that the source's validation set is its test split, and the source's training set, 9 to 1, its train
and val splits; that makes 624 images, as many as the Kaggle set's test split, and 4,708 and 524, as many together as
the Kaggle set's train and val splits.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from cases.arrays import read_array
from cases.collections.base import CollectionUnavailable, Entry
from cases.radiograph import Radiograph, RadiographError
from cases.settings import data_root

SIZES = (28, 64, 128, 224)
SPLITS = ("train", "val", "test")


class MedmnistCollection:
    """root is the folder of the files; by default medmnist in the data folder. Raises CollectionUnavailable when it has
    none of them, or when the largest is damaged or holds no such labels."""

    id = "medmnist"
    title = "PneumoniaMNIST (small films)"
    licence = "MedMNIST v2, Yang et al. 2023, doi 10.1038/s41597-022-01721-8, CC BY 4.0"
    synthetic = False
    copies_of = "chest_xray"

    def __init__(self, root: Path | None = None):
        root = data_root() / "medmnist" if root is None else Path(root)
        paths = [path for size in reversed(SIZES) if (path := root / file_name(size)).is_file()]
        if not paths:
            raise CollectionUnavailable(
                f"PneumoniaMNIST is not at {root}. `python -m train download medmnist` fetches it from Zenodo, or put "
                f"one of its files there by hand ({', '.join(map(file_name, SIZES))}), or set the environment variable "
                "LUNGLENS_DATA to the folder that holds medmnist."
            )
        self.path = paths[0]
        try:
            labels = {split: _labels(self.path, split) for split in SPLITS}
        except RadiographError as error:
            raise CollectionUnavailable(
                f"{error} Delete it, and fetch it again with `python -m train download medmnist`."
            ) from error
        self._entries = {
            f"{split}/{place:04d}": (Entry(f"{split}/{place:04d}", label, None, None, split), place)
            for split in SPLITS
            for place, label in enumerate(labels[split])
        }

    def entries(self, split: str | None = None) -> tuple[Entry, ...]:
        return tuple(entry for entry, _ in self._entries.values() if split in (None, entry.split))

    def load(self, image_id: str) -> Radiograph:
        entry, place = self._entries[image_id]
        images = _images(self.path, entry.split)
        expected = len(self.entries(entry.split))
        if images.dtype != np.uint8 or images.ndim != 3 or len(images) != expected or not images.size:
            raise RadiographError(
                f"{self.path.name}: expected {entry.split}_images of type uint8 and shape ({expected}, side, side). "
                f"Received: {images.dtype} {images.shape}."
            )
        height, width = images.shape[1:]
        note = (
            f"copy of a Kermany film by the MedMNIST project, cropped to its centre and shrunk to {width} by {height} "
            "pixels: a model trained on the Kermany films may have learnt from this very child"
        )
        # A copy, so that a radiograph kept somewhere does not keep its whole split.
        return Radiograph(images[place].copy(), source=f"PneumoniaMNIST {image_id}", notes=(note,))


def file_name(size: int) -> str:
    """MedMNIST's name of the file with images of this side, one of SIZES."""
    return "pneumoniamnist.npz" if size == 28 else f"pneumoniamnist_{size}.npz"


def _labels(path: Path, split: str) -> list[int]:
    labels = _member(path, f"{split}_labels")
    shaped = labels.ndim > 0 and labels.shape[1:] in ((), (1,))
    # Fields and other types that are no numbers cannot be compared with any.
    if not shaped or labels.dtype.kind not in "biuf" or not np.isin(labels, (0, 1)).all():
        raise RadiographError(
            f"{path.name}: expected {split}_labels of shape (n, 1) with 0 and 1 only. Received: {labels.dtype} "
            f"{labels.shape}."
        )
    return labels.ravel().astype(int).tolist()


@lru_cache(maxsize=1)
def _images(path: Path, split: str) -> np.ndarray:
    """One split's images. The file is compressed and read from its start only, so the split that was used last stays in
    memory: at most 236 MB, the train split at 224 pixels."""
    return _member(path, f"{split}_images")


def _member(path: Path, name: str) -> np.ndarray:
    try:
        return read_array(path, name)
    except ValueError as error:
        raise RadiographError(
            f"{path.name}: expected a whole .npz file with the array {name}. Received: {error}."
        ) from error

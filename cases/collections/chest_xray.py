"""The paediatric chest X-rays of Kermany et al. (2018, doi 10.17632/rscbjbr9sj) in the layout of the Kaggle download.

    chest_xray/  train|val|test /  NORMAL|PNEUMONIA /  *.jpeg

An image's id is its path in that folder ("test/NORMAL/IM-0001-0001.jpeg"). The label is the folder. The file name gives
the subtype (person23_bacteria_78.jpeg) and the patient (person23, IM-0115, NORMAL2-IM-0383), prefixed by the split,
because the numbering may restart in each: an id in two splits may or may not be one person. The names of the
archive's newer version are disease, patient and image: BACTERIA-1008087-0001.jpeg is of BACTERIA-1008087.

A copy whose images were resized may say in manifest.csv, beside the splits, how large the originals are: a row for each
image with at least the columns split, label (the folder), file, native_width and native_height (pixels, or empty).
"""

import csv
import re
from functools import cached_property
from pathlib import Path

from PIL import Image

from cases.collections.base import CollectionUnavailable, Entry
from cases.decode import decode_file
from cases.radiograph import Radiograph, RadiographError
from cases.settings import data_root

SPLITS = ("train", "val", "test")
FOLDER_LABELS = {"NORMAL": 0, "PNEUMONIA": 1}
MANIFEST, MANIFEST_COLUMNS = "manifest.csv", ("split", "label", "file", "native_width", "native_height")

_SUFFIXES = {".jpeg", ".jpg", ".png"}
_NAME = re.compile(r"(?P<patient>(?:NORMAL\d*-)?IM-\d+|person\d+)(?:[-_](?P<subtype>bacteria|virus))?[-_.]")
_NEWER_NAME = re.compile(r"(?P<patient>(?:NORMAL|(?P<subtype>BACTERIA|VIRUS))-\d+)-\d")


class ChestXrayCollection:
    """root is the folder with train, val and test (or one of them); by default chest_xray in the data folder.

    The Kaggle archive holds a second chest_xray in the first; it is looked into when the first has no splits. Raises
    CollectionUnavailable when neither has any.
    """

    id = "chest_xray"
    title = "Kermany chest X-rays (paediatric)"
    licence = "Kermany, Zhang, Goldbaum 2018, doi 10.17632/rscbjbr9sj, CC BY 4.0"
    synthetic = False

    def __init__(self, root: Path | None = None):
        root = data_root() / "chest_xray" if root is None else Path(root)
        for candidate in (root, root / "chest_xray"):
            if any((candidate / split / label).is_dir() for split in SPLITS for label in FOLDER_LABELS):
                self.root = candidate
                return
        raise CollectionUnavailable(
            f"The Kermany chest X-rays are not at {root}. `python -m train download` fetches them from Kaggle "
            "(1.2 GB), or unpack the archive there by hand, as chest_xray/train|val|test/NORMAL|PNEUMONIA/*.jpeg, or "
            "set the environment variable LUNGLENS_DATA to the folder that holds chest_xray."
        )

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        found = (
            _entry(split, label, path.name)
            for split in SPLITS
            for label in FOLDER_LABELS
            for path in sorted((self.root / split / label).glob("[!.]*"))
            if path.suffix.lower() in _SUFFIXES
        )
        return {entry.id: entry for entry in found}

    def entries(self, split: str | None = None) -> tuple[Entry, ...]:
        return tuple(entry for entry in self._entries.values() if split in (None, entry.split))

    def load(self, image_id: str) -> Radiograph:
        return decode_file(self.root / self._entries[image_id].id, image_id)

    def native_size(self, image_id: str) -> tuple[int, int] | None:
        """(width, height) in pixels at which an image was published: the manifest's, None when it does not know; in a
        copy without a manifest those of the file, from its header.

        Raises KeyError as load(), RadiographError for a file that cannot be read, CollectionUnavailable for a manifest
        that lacks a column.
        """
        path = self.root / self._entries[image_id].id
        if self._manifest is not None:
            return self._manifest.get(image_id)
        try:
            with Image.open(path) as image:
                return image.size
        # On damaged bytes Pillow raises nearly every type of Exception.
        except Exception as error:
            raise RadiographError(f"{image_id}: expected an image. Received one that cannot be opened.") from error

    @cached_property
    def _manifest(self) -> dict[str, tuple[int, int]] | None:
        """The known sizes by image, None without a manifest."""
        path = self.root / MANIFEST
        if not path.is_file():
            return None
        try:
            # A spreadsheet puts a mark before the first column's name.
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                names, rows = reader.fieldnames or (), list(reader)
        except (OSError, csv.Error, UnicodeDecodeError) as error:
            raise CollectionUnavailable(f"{path}: expected comma-separated UTF-8 text. Received: {error}.") from error
        if missing := [name for name in MANIFEST_COLUMNS if name not in names]:
            raise CollectionUnavailable(
                f"{path}: expected the columns {', '.join(MANIFEST_COLUMNS)}. Received: no {', '.join(missing)}."
            )
        found = {}
        for row in rows:
            split, label, name, *size = (row[column] or "" for column in MANIFEST_COLUMNS)
            if all(side.isdecimal() and len(side) < 7 for side in size):
                found[f"{split}/{label}/{name}"] = (int(size[0]), int(size[1]))
        return found


def _entry(split: str, folder: str, name: str) -> Entry:
    match = _NAME.match(name) or _NEWER_NAME.match(name)
    subtype = match["subtype"] if match else None
    return Entry(
        id=f"{split}/{folder}/{name}",
        label=FOLDER_LABELS[folder],
        subtype=subtype and subtype.lower(),
        patient_id=f"{split}/{match['patient']}" if match else None,
        split=split,
    )

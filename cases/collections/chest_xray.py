"""The paediatric chest X-rays of Kermany et al. (2018, doi 10.17632/rscbjbr9sj) in the layout of the Kaggle download.

    chest_xray/  train|val|test /  NORMAL|PNEUMONIA /  *.jpeg

An image's id is its path in that folder ("test/NORMAL/IM-0001-0001.jpeg"). The label is the folder. The file name gives
the subtype (person23_bacteria_78.jpeg) and the patient (person23, IM-0115, NORMAL2-IM-0383), prefixed by the split,
because the numbering may restart in each: an id in two splits may or may not be one person.
"""

import re
from functools import cached_property
from pathlib import Path

from cases.collections.base import CollectionUnavailable, Entry
from cases.decode import decode_file
from cases.radiograph import Radiograph
from cases.settings import data_root

SPLITS = ("train", "val", "test")
FOLDER_LABELS = {"NORMAL": 0, "PNEUMONIA": 1}

_SUFFIXES = {".jpeg", ".jpg", ".png"}
_NAME = re.compile(r"(?P<patient>(?:NORMAL\d*-)?IM-\d+|person\d+)(?:[-_](?P<subtype>bacteria|virus))?[-_.]")


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


def _entry(split: str, folder: str, name: str) -> Entry:
    match = _NAME.match(name)
    return Entry(
        id=f"{split}/{folder}/{name}",
        label=FOLDER_LABELS[folder],
        subtype=match["subtype"] if match else None,
        patient_id=f"{split}/{match['patient']}" if match else None,
        split=split,
    )

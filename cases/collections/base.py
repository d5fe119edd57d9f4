"""The contract of a collection: a list of entries, and a radiograph for each."""

from dataclasses import dataclass
from typing import Protocol

from cases.radiograph import Radiograph

LABEL_NAMES = ("normal", "pneumonia")


class CollectionUnavailable(RuntimeError):
    """The collection is not on this machine. The message names the command or setting that brings it."""


@dataclass(frozen=True)
class Entry:
    """One image of a collection.

    id: unique in the collection and stable over time, with "/" between its parts whatever the system
        ("test/NORMAL/IM-0001-0001.jpeg").
    label: 0 normal, 1 pneumonia, None when unknown.
    subtype: the kind of pneumonia ("bacteria", "virus"; phantoms: "lobar", ...), None when unknown or normal.
    patient_id: images with the same one show the same person, as far as is known; None when unknown.
    split: the collection's own split ("train", "val", "test"), None when it has none.
    """

    id: str
    label: int | None
    subtype: str | None
    patient_id: str | None
    split: str | None


class Collection(Protocol):
    """What pages and training ask of a collection. Making one is cheap: nothing is decoded before load().

    One whose images are copies of another's, split the same way, names that in an attribute `copies_of`.
    """

    id: str
    title: str
    synthetic: bool
    licence: str

    def entries(self, split: str | None = None) -> tuple[Entry, ...]:
        """The entries of one split, or all of them, in a stable order."""

    def load(self, image_id: str) -> Radiograph:
        """Raises KeyError for an id that entries() does not list, RadiographError for a file that cannot be read."""

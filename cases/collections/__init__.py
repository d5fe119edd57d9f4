"""Where collections come from by name: one line each in COLLECTIONS."""

from collections.abc import Callable

from cases.collections.base import Collection, CollectionUnavailable
from cases.collections.chest_xray import ChestXrayCollection
from cases.collections.folder import FolderCollection, is_folder_id, open_remembered
from cases.collections.medmnist import MedmnistCollection
from cases.collections.phantom import PhantomCollection

COLLECTIONS: dict[str, Callable[[], Collection]] = {
    "phantom": PhantomCollection,
    "chest_xray": ChestXrayCollection,
    "medmnist": MedmnistCollection,
    "folder": FolderCollection,
}


def open_collection(collection_id: str) -> Collection:
    """Raises CollectionUnavailable, naming the command or setting that brings it, and KeyError for an unknown id."""
    if is_folder_id(collection_id):
        return open_remembered(collection_id)
    if collection_id not in COLLECTIONS:
        raise KeyError(f"expected one of the collections {', '.join(COLLECTIONS)}, received {collection_id!r}")
    return COLLECTIONS[collection_id]()


def films_of(collection_id: str | None) -> str | None:
    """The collection that another one's images are copies of; its own id for any other, and None for None."""
    return getattr(COLLECTIONS.get(collection_id), "copies_of", collection_id)


def available_collections() -> dict[str, Collection]:
    """The collections that are on this machine, by id, in the order of the registry."""
    found = {}
    for collection_id in COLLECTIONS:
        try:
            found[collection_id] = open_collection(collection_id)
        except CollectionUnavailable:
            continue
    return found

"""Any folder a person points to: every image in it and below it, in the formats that cases.decode reads.

The environment variable LUNGLENS_FOLDER names the folder. An image's id is its path in it, with "/" between the parts.
The nearest folder called "normal" or "pneumonia" (in any case) is the label; without one it is unknown. Patients and
splits are unknown. Hidden files, names with unprintable characters and links that lead out of the folder are skipped.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from cases.collections.base import LABEL_NAMES, CollectionUnavailable, Entry
from cases.decode import decode_file
from cases.radiograph import Radiograph
from cases.settings import user_folder

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"}


class FolderCollection:
    """root is the folder; by default the one that LUNGLENS_FOLDER names. Raises CollectionUnavailable without one."""

    id = "folder"
    title = "Your folder"
    licence = "unknown to LungLens: that of whoever made the images"
    synthetic = False

    def __init__(self, root: Path | None = None):
        root = user_folder() if root is None else Path(root)
        if root is None or not root.is_dir():
            received = "It is not set." if root is None else f"{root} is not one."
            raise CollectionUnavailable(
                f"To browse your own images, set the environment variable LUNGLENS_FOLDER to their folder. {received}"
            )
        self.root = root

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return {image_id: Entry(image_id, _label(image_id), None, None, None) for image_id in sorted(self._image_ids())}

    def _image_ids(self) -> Iterator[str]:
        inside = self.root.resolve()
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if _is_shown(name)]
            for path in (Path(folder, name) for name in files if _is_shown(name)):
                if _is_image(path) and path.resolve().is_relative_to(inside):
                    yield path.relative_to(self.root).as_posix()

    def entries(self, split: str | None = None) -> tuple[Entry, ...]:
        return tuple(entry for entry in self._entries.values() if split in (None, entry.split))

    def load(self, image_id: str) -> Radiograph:
        return decode_file(self.root / self._entries[image_id].id, image_id)


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "__MACOSX")) and name.isprintable()


def _is_image(path: Path) -> bool:
    """True by the extension, or for a DICOM file without one. Names made of a DICOM UID look as if they had ".123"."""
    if not path.is_file():
        return False
    extension = path.suffix[1:]
    if extension and not extension.isdigit():
        return path.suffix.lower() in _SUFFIXES
    try:
        with path.open("rb") as file:
            return file.read(132).endswith(b"DICM")
    except OSError:
        return False


def _label(image_id: str) -> int | None:
    for folder in PurePosixPath(image_id).parents:
        if folder.name.lower() in LABEL_NAMES:
            return LABEL_NAMES.index(folder.name.lower())
    return None

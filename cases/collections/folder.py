"""Any folder a person points to: every image in it and below it, in the formats that cases.decode reads.

An image's id is its path in the folder, with "/" between the parts. The nearest folder called "normal" or "pneumonia"
(in any case) is the label; without one it is unknown. Patients and splits are unknown. Hidden files, names with
unprintable characters and links that lead out of the folder are skipped.

The folder that the environment variable LUNGLENS_FOLDER names is the collection "folder". Any other one is
"folder-<digest of its path>", and can be opened by that id once remember() has written its path to
`<scored_root()>/<id>/folder.json`: an address that holds the id tells nothing about the disk.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from cases.collections.base import LABEL_NAMES, CollectionUnavailable, Entry
from cases.decode import decode_file
from cases.radiograph import Radiograph
from cases.settings import scored_root, user_folder

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"}
_ID = re.compile(r"folder-[0-9a-f]{12}")


class FolderCollection:
    """root is the folder; by default the one that LUNGLENS_FOLDER names.

    Raises CollectionUnavailable, saying what is there instead, when root is no folder or cannot be listed.
    """

    id = "folder"
    title = "Your folder"
    licence = "unknown to LungLens: that of whoever made the images"
    synthetic = False

    def __init__(self, root: Path | None = None):
        self.root = user_folder() if root is None else root
        if self.root is None:
            raise CollectionUnavailable(
                "To browse your own images, set the environment variable LUNGLENS_FOLDER to their folder. "
                "It is not set."
            )
        if problem := _problem(self.root):
            raise CollectionUnavailable(f"Expected a folder of images. Received: {self.root}, {problem}.")
        # A path that cannot be opened may have no id: links that lead to each other have no end.
        if root is not None:
            self.id = folder_id(root)
            self.title = f"Folder {root.resolve().name}"

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

    def stamp(self, image_id: str) -> str:
        """The file's size and time of change, "" when it is gone or was never listed: another stamp, another image."""
        try:
            status = (self.root / self._entries[image_id].id).stat()
        except (OSError, KeyError):
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}"


def folder_id(root: Path) -> str:
    """The collection id of a folder: the same for every way to write its path."""
    return f"folder-{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]}"


def is_folder_id(name: str) -> bool:
    return _ID.fullmatch(name) is not None


def remember(root: Path) -> None:
    """Let the folder be opened by its id from now on. What is written down already is left alone: others read it."""
    if folder_id(root) in remembered():
        return
    path = scored_root() / folder_id(root) / "folder.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"path": str(root.resolve())}) + "\n", encoding="utf-8")


def remembered() -> dict[str, Path]:
    """The folders that can be opened by their id. A file that is damaged, or was moved to another's place, is skipped:
    the folder comes back when it is scored again."""
    found = {}
    for file in sorted(scored_root().glob("folder-*/folder.json")):
        try:
            root = Path(json.loads(file.read_text(encoding="utf-8"))["path"])
            if folder_id(root) == file.parent.name:
                found[file.parent.name] = root
        # The last: thousands of brackets, or links that lead to each other.
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            continue
    return found


def open_remembered(collection_id: str) -> FolderCollection:
    """Raises CollectionUnavailable for a folder that is not there any more, or was never remembered."""
    folders = remembered()
    if collection_id not in folders:
        raise CollectionUnavailable(
            f"Expected a folder that was scored on this machine. Received: {collection_id}, which was not."
        )
    return FolderCollection(folders[collection_id])


def _problem(root: Path) -> str | None:
    """Why root is no folder that can be listed, None when it is one."""
    try:
        with os.scandir(root):
            return None
    except FileNotFoundError:
        return "which is not there"
    except NotADirectoryError:
        return "which is a file"
    except (OSError, ValueError) as error:
        return f"which cannot be opened ({getattr(error, 'strerror', None) or error})"


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "__MACOSX")) and name.isprintable()


def _is_image(path: Path) -> bool:
    """True by the extension, or for a DICOM file without one. Names made of a DICOM UID look as if they had ".123"."""
    try:
        if not path.is_file():
            return False
        extension = path.suffix[1:]
        if extension and not extension.isdigit():
            return path.suffix.lower() in _SUFFIXES
        with path.open("rb") as file:
            return file.read(132).endswith(b"DICM")
    except OSError:
        return False


def _label(image_id: str) -> int | None:
    for folder in PurePosixPath(image_id).parents:
        if folder.name.lower() in LABEL_NAMES:
            return LABEL_NAMES.index(folder.name.lower())
    return None

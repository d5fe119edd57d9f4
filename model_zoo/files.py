"""Writing a file, or a folder of them, in one step."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO]:
    """A file to write to, which takes the place of `path` once it is whole and on the disk: there is the old one or the
    new one, never a part, whatever stops the writing.

    mode: "w" for text in UTF-8 whose line ends stay as they are written, or "wb". The folder is made. Raises OSError,
    which names a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    try:
        with new.open(mode, **({} if "b" in mode else {"encoding": "utf-8", "newline": ""})) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException as error:
        new.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:
            # A full disk is met in the middle, where Python does not say of which file.
            error.filename = str(path)
        raise


def replace_text(path: Path, text: str) -> None:
    """Put a text in UTF-8 in the place of a file, as replacing() does."""
    with replacing(path) as file:
        file.write(text)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write to, which takes the place of `path` once the block is through; what stops it leaves the
    old one as it is. Until then it is a hidden one beside it. Raises OSError."""
    new = path.with_name(f".{path.name}-unfinished")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(path, ignore_errors=True)
    new.rename(path)

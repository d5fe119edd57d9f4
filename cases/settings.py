"""LungLens's settings: the one place that reads its environment variables."""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def data_root() -> Path:
    """The folder that holds data sets, one folder each (`chest_xray/`, ...).

    The environment variable LUNGLENS_DATA names it; the default is `data/` in the project.
    """
    return Path(os.environ.get("LUNGLENS_DATA") or PROJECT_ROOT / "data").expanduser()


def user_folder() -> Path | None:
    """The folder of a person's own images: the environment variable LUNGLENS_FOLDER, None when it is not set."""
    folder = os.environ.get("LUNGLENS_FOLDER")
    return Path(folder).expanduser() if folder else None


def scored_root() -> Path:
    """Where the rows of scored folders are kept (`model_zoo/batch.py`).

    The environment variable LUNGLENS_SCORED names it; the default is `scored/` in data_root().
    """
    scored = os.environ.get("LUNGLENS_SCORED")
    return Path(scored).expanduser() if scored else data_root() / "scored"


def cache_root() -> Path:
    """Where what was computed once is kept (`model_zoo/neighbours.py`); deleting it costs time only.

    The environment variable LUNGLENS_CACHE names it; the default is `.cache/` in data_root().
    """
    cache = os.environ.get("LUNGLENS_CACHE")
    return Path(cache).expanduser() if cache else data_root() / ".cache"


def models_in_memory() -> int:
    """How many models the app keeps loaded: the environment variable LUNGLENS_MODELS, 3 when it is not set.

    Raises ValueError for anything but a whole number of 1 or more.
    """
    wanted = os.environ.get("LUNGLENS_MODELS") or "3"
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ValueError(f"Expected a whole number of 1 or more in LUNGLENS_MODELS. Received: {wanted!r}.")
    return int(wanted)

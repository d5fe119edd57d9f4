"""Fetch X-rays for a person who asks: `python -m train download [chest_xray|medmnist]`.

chest_xray: kagglehub downloads the public Kaggle set paultimothymooney/chest-xray-pneumonia (about 1.2 GB, no account
needed) with a progress bar, goes on after a break, and checks Kaggle's MD5 sum. What lies in the folder afterwards is
counted, because an unpacking that was cut short leaves no other trace.

medmnist: pooch downloads one of PneumoniaMNIST's files from Zenodo with a progress bar and checks the MD5 sum that the
MedMNIST project publishes (medmnist/info.py, version 3.0.2). What pooch does not do is go on after a break: the bytes
that came are kept beside the file, and the next attempt asks for the rest.
"""

import os
import shutil
import zipfile
from collections import Counter
from pathlib import Path

from cases.collections.base import CollectionUnavailable
from cases.collections.chest_xray import ChestXrayCollection
from cases.collections.medmnist import file_name
from cases.settings import data_root

HANDLE = "paultimothymooney/chest-xray-pneumonia"
# (split, label): images. 0 is normal, 1 pneumonia.
EXPECTED = {
    ("train", 0): 1341,
    ("train", 1): 3875,
    ("val", 0): 8,
    ("val", 1): 8,
    ("test", 0): 234,
    ("test", 1): 390,
}
ZENODO = "https://zenodo.org/records/10519652/files"
# Side of the images: MD5 sum of the file.
MEDMNIST_MD5 = {
    28: "28209eda62fecd6e6a2d98b1501bb15f",
    64: "8f4eceb4ccffa70c672198ea285246c6",
    128: "05b46931834c231683c68f40c47b2971",
    224: "d6a3c71de1b945ea11211b03746c1fe1",
}


class DownloadError(RuntimeError):
    """The X-rays could not be fetched. The message says why and what else brings them."""


def download_chest_xray() -> Path:
    """Put the films into <data folder>/chest_xray, unless they are there and complete, and return that folder.

    Until it is whole, what came lies in <data folder>/.kaggle; all else in the data folder stays as it is. Raises
    DownloadError offline, when Kaggle refuses, when the disk is full, and when images are missing afterwards.
    """
    try:
        collection = ChestXrayCollection()
    except CollectionUnavailable:
        _fetch_films(data_root() / "chest_xray")
        collection = ChestXrayCollection()
    if missing := _missing(collection):
        raise DownloadError(f"{missing} Delete the folder and run the command again.")
    return collection.root


def _fetch_films(into: Path) -> None:
    """Download to a cache in the same folder, and move the films from there once they are whole."""
    from kagglehub import exceptions

    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise DownloadError(
            f"Expected films in {into}, or nothing yet. Received: something else. Move it away and run the command "
            "again."
        )
    cache = into.parent / ".kaggle"
    try:
        unpacked = _from_kaggle(cache) / into.name
        if missing := _missing(ChestXrayCollection(unpacked)):
            raise DownloadError(missing)
        os.replace(unpacked, into)
    except (
        OSError,
        exceptions.BackendError,
        exceptions.DataCorruptionError,
        exceptions.NotFoundError,
        exceptions.UnauthenticatedError,
    ) as error:
        raise DownloadError(
            f"Expected to download {HANDLE} from Kaggle. Received: {error}. The same command goes on where it "
            f"stopped. Or unpack the archive from https://www.kaggle.com/datasets/{HANDLE} into {into.parent} "
            "by hand, or set LUNGLENS_DATA to a folder that holds chest_xray/ already."
        ) from error
    except (CollectionUnavailable, DownloadError, ValueError, zipfile.BadZipFile) as error:
        # kagglehub takes what it has for whole, and would give it again.
        shutil.rmtree(cache, ignore_errors=True)
        reason = "no films in it" if isinstance(error, CollectionUnavailable) else str(error).rstrip(".")
        raise DownloadError(
            f"Expected the whole set in what Kaggle sent. Received: {reason}. The same command downloads it anew."
        ) from error
    shutil.rmtree(cache, ignore_errors=True)


def _from_kaggle(cache: Path) -> Path:
    """The folder in kagglehub's cache into which the set was unpacked.

    A cache and not kagglehub's output_dir: it refuses a folder that holds anything, even the part that it left there
    itself, and empties the folder when it is made to go on."""
    import kagglehub

    # Read-only copies of Kaggle's and Colab's own notebooks cannot be moved.
    settings = {"KAGGLEHUB_CACHE": str(cache), "DISABLE_KAGGLE_CACHE": "true", "DISABLE_COLAB_CACHE": "true"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        return Path(kagglehub.dataset_download(HANDLE))
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _missing(collection: ChestXrayCollection) -> str:
    """What is said of a set that is not whole; "" when it is."""
    found = Counter((entry.split, entry.label) for entry in collection.entries())
    if found == EXPECTED:
        return ""
    counts = ", ".join(f"{found[key]} of {count} in {key[0]}/{'NP'[key[1]]}" for key, count in EXPECTED.items())
    return (
        f"{collection.root}: expected the whole set of {sum(EXPECTED.values()):,} images. Received: {counts} "
        "(N normal, P pneumonia)."
    )


def download_medmnist(size: int) -> Path:
    """Put PneumoniaMNIST's file of images of this side (28, 64, 128 or 224) into <data folder>/medmnist, unless it is
    there and whole, and return its path.

    A broken connection is tried again twice. Raises DownloadError offline, when Zenodo refuses, when the disk is full,
    and when what came has another MD5 sum.
    """
    import pooch

    folder, name = data_root() / "medmnist", file_name(size)
    url = f"{ZENODO}/{name}?download=1"
    files = pooch.create(folder, "", registry={name: f"md5:{MEDMNIST_MD5[size]}"}, urls={name: url}, retry_if_failed=2)
    try:
        return Path(files.fetch(name, downloader=_download_the_rest))
    # The errors of requests are OSErrors; pooch raises ValueError for another MD5 sum.
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"Expected to download {name} from Zenodo. Received: {error}. The same command goes on where it stopped. "
            f"Or put the file from {url} into {folder} by hand, or set LUNGLENS_DATA to a folder that holds medmnist/ "
            "already."
        ) from error


def _download_the_rest(url: str, output_file: str, files) -> None:
    """A downloader for pooch that keeps what came before a break, and asks the server for what follows it."""
    from pooch import HTTPDownloader

    part = files.abspath / f"{Path(url.partition('?')[0]).name}.part"
    with part.open("ab") as file:
        # The last byte is asked for again: no server gives the empty rest of a part that is whole.
        start = file.truncate(max(0, file.tell() - 1))
        headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
        HTTPDownloader(progressbar=True, headers=headers)(url, file, files)
    # From here on it is pooch's: kept if its sum is right and deleted if not, so that the next attempt starts anew.
    os.replace(part, output_file)

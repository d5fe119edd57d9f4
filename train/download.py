"""Fetch the Kermany films for a person who asks: `python -m train download`.

kagglehub downloads the public Kaggle set paultimothymooney/chest-xray-pneumonia (about 1.2 GB, no account needed) with
a progress bar, goes on after a break, and checks Kaggle's MD5 sum. What lies in the folder afterwards is counted,
because an unpacking that was cut short leaves no other trace.
"""

from collections import Counter
from pathlib import Path

from cases.collections.base import CollectionUnavailable
from cases.collections.chest_xray import ChestXrayCollection
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


class DownloadError(RuntimeError):
    """The films could not be fetched. The message says why and what else brings them."""


def download() -> Path:
    """Put the films into <data folder>/chest_xray, unless they are there and complete, and return that folder.

    Raises DownloadError offline, when Kaggle refuses, when the disk is full, and when images are missing afterwards.
    """
    import kagglehub
    from kagglehub import exceptions

    try:
        collection = ChestXrayCollection()
    except CollectionUnavailable:
        try:
            kagglehub.dataset_download(HANDLE, output_dir=str(data_root()))
        except (
            OSError,
            exceptions.BackendError,
            exceptions.DataCorruptionError,
            exceptions.NotFoundError,
            exceptions.UnauthenticatedError,
        ) as error:
            raise DownloadError(
                f"Expected to download {HANDLE} from Kaggle. Received: {error}. The same command goes on where it "
                f"stopped. Or unpack the archive from https://www.kaggle.com/datasets/{HANDLE} into {data_root()} "
                "by hand, or set LUNGLENS_DATA to a folder that holds chest_xray/ already."
            ) from error
        collection = ChestXrayCollection()
    found = Counter((entry.split, entry.label) for entry in collection.entries())
    if found != EXPECTED:
        counts = ", ".join(f"{found[key]} of {count} in {key[0]}/{'NP'[key[1]]}" for key, count in EXPECTED.items())
        raise DownloadError(
            f"{collection.root}: expected the whole set of {sum(EXPECTED.values()):,} images. Received: {counts} "
            "(N normal, P pneumonia). Delete the folder and run the command again."
        )
    return collection.root

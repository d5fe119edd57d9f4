"""Reading .npz files that may be damaged."""

import zipfile
from pathlib import Path

import numpy as np


def read_array(path: Path, name: str) -> np.ndarray:
    """One array of a .npz file, which may be of any type but objects. Raises ValueError, which says what was received,
    for a file that is missing, damaged, or without it."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)
    # On damaged bytes zipfile and NumPy raise nearly every type of Exception; MemoryError is that of a made-up shape.
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error

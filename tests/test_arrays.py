"""Damaged .npz files: each reader of one says or does what it promises, whatever zipfile and NumPy raise."""

import io
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cases.arrays import read_array
from cases.collections.base import CollectionUnavailable
from cases.collections.medmnist import MedmnistCollection, file_name
from model_zoo.lungs.gate import read_reference
from model_zoo.neighbours import NONE, read_features
from model_zoo.registry import ExportError

NAMES = ("image_ids", "features", "mean", "precision", "train_labels", "val_labels", "test_labels")


def archive(member: bytes) -> bytes:
    """Every array that a reader asks for, all of them damaged alike."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name in NAMES:
            file.writestr(f"{name}.npy", member)
    return stream.getvalue()


def array(header: str) -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + bytes(99)


WHOLE = archive(array("{'descr': '|u1', 'fortran_order': False, 'shape': (99,), }"))
DAMAGED = {
    "a header without an end": archive(array("{'descr': '|u1', 'fortran_order': False, 'shape': (99,")),
    "a petabyte": archive(array("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000,), }")),
    "no array": archive(b"text"),
    "an unknown method": re.sub(rb"(?s)(PK\x01\x02.{6})\x08\x00", b"\\1\x63\x00", WHOLE),
    "another version": re.sub(rb"(?s)(PK\x01\x02.{2})\x14\x00", b"\\1\xff\x00", WHOLE),
    "a broken stream": re.sub(rb"(?s)(\.npy).{4}", b"\\1\xff\xff\xff\xff", WHOLE, count=len(NAMES)),
}


def test_a_whole_array_is_read(tmp_path):
    path = tmp_path / "whole.npz"
    path.write_bytes(WHOLE)
    assert np.array_equal(read_array(path, "mean"), np.zeros(99, np.uint8))


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_has_one_error(damage, tmp_path):
    for name in ("features.npz", "reference.npz", file_name(28)):
        (tmp_path / name).write_bytes(DAMAGED[damage])
    with pytest.raises(ValueError, match=r".+"):
        read_array(tmp_path / "features.npz", "features")
    assert read_features(tmp_path / "features.npz") is NONE
    with pytest.raises(ExportError, match=r"reference\.npz: expected .* Received: a damaged file"):
        read_reference(tmp_path)
    with pytest.raises(CollectionUnavailable, match=r"pneumoniamnist\.npz: expected .* Received: ."):
        MedmnistCollection(tmp_path)


@pytest.mark.parametrize("kind", [complex, str])
def test_features_of_another_type_are_computed_anew(kind, tmp_path):
    np.savez(tmp_path / "features.npz", image_ids=np.array(["a"]), features=np.zeros((1, 3), kind))
    assert read_features(tmp_path / "features.npz") is NONE


def test_a_missing_file_is_a_value_error_too(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        read_array(Path(tmp_path / "lost.npz"), "mean")

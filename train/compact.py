"""Small weight files that stay ordinary .keras files: fewer mantissa bits, then HDF5's own shuffle and gzip filters."""

import io
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

FLOAT32_MANTISSA_BITS = 23


def round_mantissa(values: np.ndarray, bits: int) -> np.ndarray:
    """float32 values rounded to the nearest with `bits` (1..23) of mantissa kept; the zeros left compress well."""
    if not 1 <= bits <= FLOAT32_MANTISSA_BITS:
        raise ValueError(f"Expected 1 to {FLOAT32_MANTISSA_BITS} mantissa bits. Received: {bits}.")
    dropped = FLOAT32_MANTISSA_BITS - bits
    if dropped == 0:
        return values.copy()
    pattern = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    return ((pattern + half) & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)).view(np.float32)


def compress(path: Path) -> None:
    """Rewrite a .keras archive in place with shuffled and gzipped weights. What it loads to does not change."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["model.weights.h5"] = _compressed_weights(parts["model.weights.h5"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(parts.items()):
            # A fixed date, so that equal weights give equal files.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def _compressed_weights(content: bytes) -> bytes:
    target = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as old, h5py.File(target, "w") as new:
        new.attrs.update(old.attrs)

        def copy(name, item):
            if isinstance(item, h5py.Group):
                copied = new.require_group(name)
            elif item.size > 1024:
                copied = new.create_dataset(
                    name, item.shape, item.dtype, chunks=item.shape, shuffle=True, compression="gzip"
                )
                copied.id.write_direct_chunk((0,) * item.ndim, _chunk(item[()]))
            else:
                copied = new.create_dataset(name, data=item[()])
            copied.attrs.update(item.attrs)

        old.visititems(copy)
    return target.getvalue()


def _chunk(values: np.ndarray) -> bytes:
    """What HDF5's shuffle and gzip filters read back as these values.

    Rounded weights have few different bytes and no strings that come again. The search for such strings, which HDF5
    always asks of zlib, and the small chunks that h5py chooses made files a fifth larger than run lengths alone do.
    """
    shuffled = values.reshape(-1).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, strategy=zlib.Z_RLE)
    return packer.compress(shuffled) + packer.flush()

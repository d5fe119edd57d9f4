"""The radiograph: what every decoder, collection and generator returns."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np


class RadiographError(ValueError):
    """Bytes that cannot become a radiograph. The message is for a person: what was expected and what was received."""


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One grayscale projection image.

    pixels: uint8 (height, width), 0..255, bright = dense (bone is bright, air is dark; MONOCHROME1 already inverted).
        Read-only, so that cached radiographs cannot be changed by a caller.
    source: where it came from, for a person: a file name or "phantom test/0007-lobar".
    notes: what was done to get here that a person should see, such as "16-bit, windowed to 8".
    synthetic: True when no patient was ever in front of the detector; shown wherever the image is.
    colour: how far the file's colours are from those of one tint, 0..1 (cases/pixels.py); 0 for gray.

    Raises RadiographError when pixels is not a non-empty two-dimensional uint8 array.
    """

    pixels: np.ndarray
    source: str
    notes: tuple[str, ...] = ()
    synthetic: bool = False
    colour: float = 0.0

    def __post_init__(self):
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.size == 0:
            received = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise RadiographError(f"A radiograph needs uint8 pixels (height, width). Received: {received}.")
        frozen = pixels.view()
        frozen.flags.writeable = False
        object.__setattr__(self, "pixels", frozen)

    @cached_property
    def digest(self) -> str:
        """digest_of(pixels). A film of 30 megapixels takes a moment, so that it is kept."""
        return digest_of(self.pixels)


def digest_of(pixels: np.ndarray) -> str:
    """The sha256 of an array's shape and values: another one, another picture."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()

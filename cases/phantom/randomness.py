"""Random numbers that stay the same on every platform and NumPy release.

Only the raw 64-bit output of PCG64 is used: NumPy promises its stream for good, and does not promise the stream of
`Generator.normal` and its like. Uniform numbers are multiples of 2**-53; normal ones are sums of uniform integers
(Irwin-Hall), so both are exact in float64.
"""

import zlib

import numpy as np


class Stream:
    """Independent stream for (seed, name): drawing more of one thing never changes another."""

    def __init__(self, seed: int, name: str):
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))

    def uniform(self, low: float = 0.0, high: float = 1.0, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Uniform in [low, high), float64."""
        raw = self._bits.random_raw(int(np.prod(shape, dtype=int)))
        return low + (high - low) * ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def normal(self, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Mean 0, variance 1, within ±6: twelve 16-bit integers added up."""
        return self._sums(shape, 12, 2) / 65536 - 6.0 * 65535 / 65536

    def noise(self, shape: tuple[int, ...]) -> np.ndarray:
        """Mean 0, variance 1, within ±3.5: four bytes added up, cheap enough for every pixel."""
        return (self._sums(shape, 4, 1) - 510.0) / np.sqrt((256.0**2 - 1) / 3)

    def _sums(self, shape: tuple[int, ...], terms: int, width: int) -> np.ndarray:
        count = int(np.prod(shape, dtype=int))
        words = self._bits.random_raw(-(-count * terms * width // 8)).astype("<u8")
        parts = words.view(f"<u{width}")[: count * terms].reshape(terms, count)
        return parts.sum(axis=0, dtype=np.int32).reshape(shape)

    def choice(self, options: tuple, weights: tuple[float, ...] | None = None):
        """One of the options; all alike when no weights (they add up to 1) are given."""
        edges = np.cumsum(weights or (1 / len(options),) * len(options))
        return options[min(int(np.searchsorted(edges, self.uniform(), side="right")), len(options) - 1)]

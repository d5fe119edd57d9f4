"""What the image decoder and the DICOM decoder share: limits on size, the steps to 8 bits and to gray, text from a file
made safe.

Errors are RadiographError with a message that lacks the file name; cases.decode puts it in front.
"""

import numpy as np
from PIL import Image, ImageChops

from cases.radiograph import RadiographError

MIN_SIDE = 32
MAX_PIXELS = 40_000_000
# Of one picture's decoded pixels. The steps to 8 bits need a few times as much for a moment.
MAX_PIXEL_BYTES = 80_000_000
# Each scan of a JPEG passes over the whole picture again, and costs a few bytes; progressive ones have ten or so. High,
# as a video behind a phone's picture holds the mark of a scan by chance, every 65,536 bytes.
_MAX_SCANS = 500

# The share of the darkest and of the brightest pixels that may saturate, in percent: a few hot pixels or a burnt-in
# side marker must not flatten the film.
_TAIL = 0.1

# Differences between the colour channels up to this are left by lossy compression of a gray picture.
_COLOUR_NOISE = 16


def check_size(height: int, width: int, bytes_per_pixel: int) -> None:
    """Raise RadiographError for a picture too small to read or too large to hold. Called before pixels are decoded.

    bytes_per_pixel: of all channels together, as they are decoded."""
    if min(height, width) < MIN_SIDE:
        raise RadiographError(f"expected at least {MIN_SIDE} × {MIN_SIDE} pixels. Received {width} × {height}.")
    most = min(MAX_PIXELS, MAX_PIXEL_BYTES // bytes_per_pixel)
    if height * width > most:
        of = f" of {bytes_per_pixel} bytes" if most < MAX_PIXELS else ""
        raise RadiographError(
            f"expected at most {most / 1e6:.1f} megapixels{of}. "
            f"Received {width} × {height}, which is {height * width / 1e6:,.1f}."
        )


def check_scans(jpeg: bytes) -> None:
    """Raise RadiographError for JPEG data that would take minutes to decode."""
    if (scans := jpeg.count(b"\xff\xda")) > _MAX_SCANS:
        raise RadiographError(f"expected a JPEG of at most {_MAX_SCANS} scans. Received {scans:,}.")


def thinned(values: np.ndarray) -> np.ndarray:
    """At most two million of the values, evenly taken, as a flat view: enough to judge the contrast by."""
    return values.ravel()[:: max(1, values.size // 1_000_000)]


def contrast_window(values: np.ndarray) -> tuple[float, float]:
    """The (low, high) that shows values of any depth well: all but the darkest and the brightest 0.1%."""
    low, high = np.percentile(thinned(values), (_TAIL, 100 - _TAIL))
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)


def to_bytes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map low..high to 0..255 as uint8, what lies outside saturated; all 0 when low equals high."""
    if low == high:
        return np.zeros(values.shape, np.uint8)
    fraction = np.subtract(values, low, dtype=np.float32 if values.itemsize < 4 else np.float64)
    fraction /= high - low
    np.clip(fraction, 0, 1, out=fraction)
    fraction *= 255
    return np.rint(fraction, out=fraction).astype(np.uint8)


def rgb_to_gray(image: Image.Image, notes: list[str]) -> tuple[np.ndarray, float]:
    """The brightness (ITU-R BT.601) of an RGB image as uint8 (height, width), and Radiograph.colour: 0 for one that is
    gray but for what compression left; of others it is noted that they had colour."""
    red, green, blue = image.split()
    differences = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    colour = 0.0
    if max(difference.getextrema()[1] for difference in differences) > _COLOUR_NOISE:
        notes.append("colour, converted to gray")
        colour = _colour_of(image)
    return np.asarray(image.convert("L")), colour


def _colour_of(image: Image.Image) -> float:
    """Radiograph.colour of an RGB image: what is left of red minus green and blue minus green, as a root mean square
    over 255, once a parabola of the gray explained what it can. A film that was toned or photographed in a tinted light
    has one hue for each gray; a photograph has several."""
    small = np.asarray(image.resize((64, 64), Image.Resampling.BOX), np.float64).reshape(-1, 3) / 255
    gray = small.mean(axis=1)
    differences = small[:, [0, 2]] - small[:, [1]]
    tone = np.vander(gray, 3)
    left = differences - tone @ np.linalg.lstsq(tone, differences, rcond=None)[0]
    return float(np.sqrt(np.mean(left**2)))


def printable(text: object, limit: int) -> str:
    """text without control or direction-changing characters, its middle left out beyond limit characters."""
    shown = "".join(character for character in str(text) if character.isprintable()).strip()
    if len(shown) <= limit:
        return shown
    return f"{shown[: limit - 10]}…{shown[-9:]}"

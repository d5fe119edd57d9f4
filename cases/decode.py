"""Bytes of an image file to a Radiograph: JPEG, PNG, WebP, TIFF and BMP through Pillow, DICOM through cases.dicom.

decode() takes the bytes of one file and its name, which is used in messages only; the format is told from the bytes.
decode_file() reads them first.
The size is read from the header and checked before pixels are decoded, so that a small file cannot fill the memory: a
picture of the largest size takes half a gigabyte for a moment.

What is done on the way is noted: more than 8 bits are windowed to 8 (all but the darkest and brightest 0.1%), colour
becomes gray (ITU-R BT.601), transparency is laid over black, the camera's EXIF rotation is applied.

Errors: RadiographError for anything that is not one whole picture, with the file name, what was expected and what was
received, in words for a person. MemoryError and KeyboardInterrupt pass through. Safe to call from several threads.
"""

import codecs
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin

from cases.pixels import MAX_PIXELS, check_scans, check_size, contrast_window, printable, rgb_to_gray, to_bytes
from cases.radiograph import Radiograph, RadiographError

MAX_BYTES = 30 * 1024 * 1024

# What undoes each EXIF orientation but 1, which is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHER_KINDS = (
    ((b"GIF8",), "a GIF image"),
    ((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 image"),
    ((b"%PDF",), "a PDF document"),
    ((b"PK\3\4", b"PK\5\6"), "a ZIP archive or an Office document"),
    ((b"\x1f\x8b",), "a gzip archive"),
    ((b"\x93NUMPY",), "a NumPy array"),
    ((b"\x89HDF",), "an HDF5 file"),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle"),
    ((b"<!", b"<?", b"<html", b"<HTML", b"<svg"), "an HTML or XML document"),
)


def decode(data: bytes, name: str) -> Radiograph:
    """Return the radiograph in data. name is the file's name as a person knows it."""
    name = printable(name, 80) or "unnamed file"
    kind = None
    try:
        if not data:
            raise RadiographError("expected an image. Received an empty file.")
        if len(data) > MAX_BYTES:
            raise RadiographError(f"expected a file of at most {_size(MAX_BYTES)}. Received a larger one.")
        kind = _supported_kind(data)
        if kind is None:
            raise RadiographError(
                "expected a JPEG, PNG, WebP, TIFF, BMP or DICOM image. "
                f"Received {_other_kind(data)} of {_size(len(data))}."
            )
        if kind == "DICOM":
            # Imported here because pydicom takes longer to import than everything else in cases together.
            from cases.dicom import decode_dicom

            pixels, notes, colour = decode_dicom(data)
        else:
            pixels, notes, colour = _decode_picture(data, kind)
    except RadiographError as error:
        raise RadiographError(f"{name}: {error}") from error.__cause__
    except BaseException as error:
        # Pillow and pydicom raise nearly every type of Exception on hostile bytes; decoders written in Rust raise a
        # PanicException, which is none and cannot be imported.
        damaged = isinstance(error, Exception) or type(error).__name__ == "PanicException"
        if isinstance(error, MemoryError) or not damaged:
            raise
        raise RadiographError(
            f"{name}: expected a whole {kind} image. Received one that is damaged, cut off or of an unusual kind."
        ) from error
    if pixels.min() == pixels.max():
        notes.append("every pixel has the same value: there is nothing to see")
    return Radiograph(pixels, source=name, notes=tuple(notes), colour=colour)


def decode_file(path: Path, name: str) -> Radiograph:
    """decode() for a file on this machine; one that cannot be opened is a RadiographError too."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RadiographError(f"{printable(name, 80)}: expected a file to read. Received: {reason}.") from error
    return decode(data, name)


def _supported_kind(data: bytes) -> str | None:
    """The format that the first bytes tell, by Pillow's name for it, or None."""
    if _looks_like_dicom(data):
        return "DICOM"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data.startswith(_TIFF_STARTS):
        return "TIFF"
    return "BMP" if data.startswith(b"BM") else None


def _looks_like_dicom(data: bytes) -> bool:
    """True for the "DICM" mark, or without it for a first element of group 0002 or 0008 in little endian."""
    if data[128:132] == b"DICM":
        return True
    plausible = (data[4:6].isalpha() and data[4:6].isupper()) or int.from_bytes(data[4:8], "little") < 2**16
    return len(data) > 132 and data[:2] in (b"\x02\x00", b"\x08\x00") and plausible


def _other_kind(data: bytes) -> str:
    for starts, kind in _OTHER_KINDS:
        if data[:64].lstrip().startswith(starts):
            return kind
    if data[4:8] == b"ftyp":
        return "a HEIC photo or a video"
    try:
        # Incremental, because the cut may go through a character of several bytes.
        text = codecs.getincrementaldecoder("utf-8")().decode(data[:2000])
    except UnicodeDecodeError:
        return "data of an unknown kind"
    return "a text file" if all(c.isprintable() or c.isspace() for c in text) else "data of an unknown kind"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1024:.0f} kB" if count < 1024**2 else f"{count / 1024**2:.1f} MB"


def _decode_picture(data: bytes, kind: str) -> tuple[np.ndarray, list[str], float]:
    """Return uint8 pixels (height, width), the notes and Radiograph.colour, for a format that Pillow reads."""
    # Pillow's default. A library that turned it on would give films that are gray where the file was cut off.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image = Image.open(BytesIO(data), formats=(kind,))
    except Image.DecompressionBombError as error:
        raise RadiographError(f"expected at most {MAX_PIXELS // 10**6} megapixels. Received far more.") from error
    with image:
        depth = _bytes_per_pixel(image)
        check_size(image.height, image.width, depth)
        tags = dict(image.tag_v2) if kind == "TIFF" else {}
        # A tile is decoded as a whole, even where most of it lies beyond the picture.
        tile_height, tile_width = tags.get(TiffImagePlugin.TILELENGTH, 0), tags.get(TiffImagePlugin.TILEWIDTH, 0)
        check_size(max(image.height, tile_height), max(image.width, tile_width), depth)
        if kind == "JPEG":
            check_scans(data)
        # A phone may put a depth map or a preview behind the picture (MPO); the picture is the first.
        if image.format != "MPO" and _has_second_frame(image):
            raise RadiographError(f"expected a single picture. Received a {kind} file of several pages or frames.")
        if kind == "PNG":
            # Loading looks at no checksum of the pixel data.
            Image.open(BytesIO(data), formats=(kind,)).verify()
        reduced = ";16" in str(image.tile) and not _is_deep(image)
        image.load()
        notes = []
        turn = _TURNS.get(tags.get(ExifTags.Base.Orientation, _orientation(image)))
        if turn is not None:
            # Pillow has turned a TIFF while loading. Its exif_transpose() writes the whole EXIF block anew, and fails
            # where a camera stored any of it as another type.
            image = image if kind == "TIFF" else image.transpose(turn)
            notes.append("turned or mirrored as the camera noted (EXIF)")
        if _is_deep(image):
            pixels = _deep_to_gray(image, notes)
            # Pillow inverts a TIFF that is dark where it is dense for up to 8 bits only.
            inverted = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
            return 255 - pixels if inverted else pixels, notes, 0.0
        if reduced:
            notes.append("16 bits per channel, reduced to 8")
        pixels, colour = _to_gray(image, notes)
        return pixels, notes, colour


def _bytes_per_pixel(image: Image.Image) -> int:
    """Of what an image that is not loaded yet becomes on its way to gray."""
    if image.has_transparency_data:
        return 4
    return {"1": 1, "L": 1, "P": 3, "RGB": 3}.get(image.mode, 2 if ";16" in image.mode else 4)


def _is_deep(image: Image.Image) -> bool:
    """True for gray pixels of more than 8 bits: Pillow's modes I;16 and its kin, I (32-bit whole) and F (float)."""
    return image.mode.startswith("I") or image.mode == "F"


def _deep_to_gray(image: Image.Image, notes: list[str]) -> np.ndarray:
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise RadiographError("expected a number for every pixel. Received some that are infinite or not a number.")
    depth = "16-bit" if ";16" in image.mode else "32-bit"
    notes.append(f"{depth}, windowed to 8 between its darkest and its brightest pixels")
    return to_bytes(values, *contrast_window(values))


def _to_gray(image: Image.Image, notes: list[str]) -> tuple[np.ndarray, float]:
    """Pixels of up to 8 bits per channel to gray: transparency over black, then colour by its brightness. With
    Radiograph.colour."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            notes.append("partly transparent, laid over black")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    if image.mode not in ("1", "L"):
        return rgb_to_gray(image.convert("RGB"), notes)
    return np.asarray(image.convert("L")), 0.0


def _has_second_frame(image: Image.Image) -> bool:
    """Like n_frames > 1, which would walk through every page of a TIFF."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded image, 1 (upright) when it has none or the EXIF block is broken."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1

"""DICOM bytes to gray pixels, through pydicom and the pylibjpeg decoders.

The steps are those of DICOM PS3.3 C.11 for a grayscale image: stored values, modality LUT or rescale (C.11.1), VOI LUT
or window (C.11.2), inversion for MONOCHROME1 (C.7.6.3.1.2). A file of more than 8 bits without a window of its own gets
one from its darkest and brightest pixels. Pixel padding (C.7.5.1.1.2) becomes black. RGB and YBR become gray.

Only the elements named below are ever read, so nothing that says who the patient is gets into memory as text.

Errors: RadiographError (without the file name) for a file that says why it cannot be shown; whatever pydicom raises on
a damaged one is left to cases.decode.
"""

import struct
from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread, uid
from pydicom.encaps import generate_frames
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels import apply_windowing, get_decoder

from cases.pixels import check_scans, check_size, contrast_window, printable, rgb_to_gray, thinned, to_bytes
from cases.radiograph import RadiographError

# Who decodes which transfer syntax. Pillow is preferred where it can, because it refuses cut-off data. The deflated
# syntax is left out: it is inflated as a whole before the header can be checked.
PLUGINS = {
    uid.ImplicitVRLittleEndian: "",
    uid.ExplicitVRLittleEndian: "",
    uid.ExplicitVRBigEndian: "",
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: "pylibjpeg",
    uid.JPEGLossless: "pylibjpeg",
    uid.JPEGLosslessSV1: "pylibjpeg",
    uid.JPEGLSLossless: "pylibjpeg",
    uid.JPEGLSNearLossless: "pylibjpeg",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
    uid.RLELossless: "pylibjpeg",
}

# Modalities (PS3.3 C.7.3.1.1.1) that are projection radiographs; DR is not in the standard but is found in files.
PLAIN_RADIOGRAPHY = {"CR", "DX", "DR", "RG", "PX", "IO", "MG"}

_READ = [
    *("SOPClassUID", "Modality", "BodyPartExamined"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "PixelAspectRatio", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleIntercept", "RescaleSlope", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData"),
]
_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_J2K_START = b"\xff\x4f\xff\x51"
# The tag that each item of a sequence begins with, in both byte orders, and how many pydicom may keep: each takes a
# kilobyte and more, in sequences that are not wanted too. A radiograph has a few dozen.
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_MAX_ITEMS = 100_000


def decode_dicom(data: bytes) -> tuple[np.ndarray, list[str], float]:
    """Return uint8 pixels (height, width), bright = dense, the notes a person should see and Radiograph.colour."""
    if (items := max(map(data.count, _ITEMS))) > _MAX_ITEMS:
        raise RadiographError(f"expected a DICOM file of at most {_MAX_ITEMS:,} items. Received {items:,}.")
    syntax = _transfer_syntax(data)
    if syntax is not None and syntax not in PLUGINS:
        raise RadiographError(
            "expected a DICOM image that is uncompressed or compressed with JPEG, JPEG-LS, JPEG 2000 or RLE. "
            f"Received {printable(syntax.name, 80)}."
        )
    dataset = dcmread(BytesIO(data), force=True, specific_tags=_READ)
    _check(dataset)
    if syntax is None:
        syntax = _guess_syntax(dataset)
    if syntax.is_encapsulated and syntax != uid.RLELossless:
        _check_codestream(dataset, syntax)

    stored, _ = get_decoder(syntax).as_array(dataset, index=0, decoding_plugin=PLUGINS[syntax])
    notes = _notes_on_kind(dataset)
    if stored.ndim == 3:
        brightest = 2 ** int(dataset.BitsStored) - 1
        channels = (to_bytes(stored[..., channel], 0, brightest) for channel in range(3))
        pixels, colour = rgb_to_gray(Image.merge("RGB", [Image.fromarray(channel) for channel in channels]), notes)
        return pixels, notes, colour

    pixels, note = _to_8_bit(stored, dataset, _padding(stored, dataset), syntax.is_little_endian)
    if note:
        notes.append(note)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        notes.append("stored with dense parts dark (MONOCHROME1), inverted")
    return pixels, notes, 0.0


def _transfer_syntax(data: bytes) -> uid.UID | None:
    """The transfer syntax that the file meta information names, read before anything else is."""
    stream = BytesIO(data)
    read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    return meta.get("TransferSyntaxUID") or None


def _guess_syntax(dataset: Dataset) -> uid.UID:
    """The transfer syntax of a dataset that came without file meta information, as pydicom found it encoded."""
    if dataset["PixelData"].is_undefined_length:
        raise RadiographError(
            "expected a DICOM file that says how its pixels are compressed (TransferSyntaxUID). Received one without."
        )
    implicit, little = dataset.original_encoding
    explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    return dataset.file_meta.TransferSyntaxUID


def _check(dataset: Dataset) -> None:
    """Raise RadiographError unless the header describes one picture of a kind and a size that can be shown."""
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise RadiographError("expected a DICOM image of whole numbers. Received floating-point pixels.")
    if not dataset.get("PixelData") or "Rows" not in dataset or "Columns" not in dataset:
        kind = dataset.get("SOPClassUID")
        kind = f" ({printable(kind.name, 80)})" if kind else ""
        raise RadiographError(f"expected a DICOM file with an image in it. Received one without, or cut off{kind}.")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise RadiographError(f"expected a single picture. Received a DICOM file of {frames} frames.")
    samples, allocated = int(dataset.get("SamplesPerPixel") or 1), int(dataset.BitsAllocated)
    if samples not in (1, 3) or allocated not in (1, 8, 16):
        raise RadiographError(
            f"expected DICOM pixels with 1 or 3 samples of at most 16 bits. Received {samples} of {allocated} bits."
        )
    colours = printable(dataset.get("PhotometricInterpretation", "none"), 20)
    if not colours.startswith(("MONOCHROME", "RGB", "YBR_")):
        raise RadiographError(f"expected a grayscale, RGB or YBR image. Received the colour model {colours}.")
    check_size(int(dataset.Rows), int(dataset.Columns), samples * (2 if allocated == 16 else 1))


def _check_codestream(dataset: Dataset, syntax: uid.UID) -> None:
    """Raise RadiographError unless the compressed data end where they should, have the size the header says and can
    be decoded soon.

    The compressed data carry a size of their own, and the decoders trust that one. They also fill up data that end
    early with gray; only the end marker of JPEG and JPEG-LS shows it (JPEG 2000 decoders refuse).
    """
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    expected = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)
    received = _codestream_size(frame)
    if received != expected:
        raise RadiographError(
            f"expected the {expected[1]} × {expected[0]} pixels that the DICOM header says. "
            f"Received {received[1]} × {received[0]} in the compressed data."
        )
    whole = frame.startswith(_J2K_START) or frame.rstrip(b"\0\xff").endswith(b"\xff\xd9")
    if not whole:
        raise RadiographError(f"expected a whole image. Received {syntax.name} data that are cut off.")
    check_scans(frame)


def _codestream_size(frame: bytes) -> tuple[int, int, int]:
    """(height, width, components) from the header of JPEG and JPEG-LS (SOF) or JPEG 2000 (SIZ) data.

    Raises ValueError, struct.error or IndexError when there is none.
    """
    if frame.startswith(_J2K_START):
        width, height, left, top = struct.unpack(">4I", frame[8:24])
        return height - top, width - left, int.from_bytes(frame[40:42], "big")
    if not frame.startswith(b"\xff\xd8"):
        raise ValueError(f"expected JPEG or JPEG 2000 data, received {frame[:4].hex()}")
    position = 2
    while frame[position] == 0xFF and frame[position + 1] not in _START_OF_FRAME:
        position += 2 + int.from_bytes(frame[position + 2 : position + 4], "big")
    return struct.unpack(">HHB", frame[position + 5 : position + 10])


def _notes_on_kind(dataset: Dataset) -> list[str]:
    notes = []
    modality = printable(dataset.get("Modality") or "", 20)
    if modality and modality not in PLAIN_RADIOGRAPHY:
        notes.append(f"Modality is {modality}, not a plain radiograph")
    part = printable(dataset.get("BodyPartExamined") or "", 20)
    if part and "CHEST" not in part and "THORAX" not in part:
        notes.append(f"body part is {part}, not the chest")
    vertical, horizontal = dataset.get("PixelAspectRatio") or (1, 1)
    if vertical != horizontal:
        notes.append(f"pixels are not square (ratio {vertical}:{horizontal}), shown as if they were")
    return notes


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    """Where the pixels are padding outside the film, or None when the file names none."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    return (stored >= low) & (stored <= high)


def _to_8_bit(
    stored: np.ndarray, dataset: Dataset, padding: np.ndarray | None, little_endian: bool
) -> tuple[np.ndarray, str | None]:
    """Stored values to uint8 with padding black and MONOCHROME1 inverted, and a note on the window used.

    Each step is applied to the few thousand values there can be, not to the millions of pixels.
    """
    lowest = int(stored.min())
    values = _modality_values(np.arange(lowest, int(stored.max()) + 1), dataset, little_endian)
    table, note = _voi_table(values, dataset, little_endian)
    index = stored.astype(np.int32) - lowest
    if table is None and dataset.BitsStored == 8 and _are_bytes(values):
        table = values.astype(np.uint8)
    elif table is None:
        film = index if padding is None or padding.all() else index[~padding]
        table = to_bytes(values, *contrast_window(values[thinned(film)]))
        note = f"{dataset.BitsStored}-bit, windowed to 8 between its darkest and its brightest pixels" + (note or "")
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        table = 255 - table
    pixels = table[index]
    if padding is not None:
        pixels[padding] = 0
    return pixels, note


def _are_bytes(values: np.ndarray) -> bool:
    """True for values of 0..255 that the modality step left as they were stored, moved or mirrored: made to be shown.

    Those that it spread or squeezed are a measurement, which says nothing on how to show it.
    """
    return values.min() >= 0 and values.max() <= 255 and bool((np.abs(np.diff(values)) == 1).all())


def _modality_values(values: np.ndarray, dataset: Dataset, little_endian: bool) -> np.ndarray:
    """PS3.3 C.11.1: a look-up table or a straight line from stored values to what the detector measured."""
    if dataset.get("ModalityLUTSequence"):
        return _look_up(values, dataset.ModalityLUTSequence[0], little_endian)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None or intercept is None:
        return values
    measured = values * float(slope) + float(intercept)
    if len(values) > 1 and not 0 < np.ptp(measured) < np.inf:
        raise RadiographError(
            "expected a RescaleSlope and a RescaleIntercept that tell stored values apart. "
            f"Received {printable(slope, 20)} and {printable(intercept, 20)}."
        )
    return measured


def _voi_table(values: np.ndarray, dataset: Dataset, little_endian: bool) -> tuple[np.ndarray | None, str | None]:
    """PS3.3 C.11.2: the file's own look-up table or first window as uint8, and a note; None when none is usable.

    Two values far outside are mapped along with the rest: they come out as the ends of the output range.
    """
    probed = np.concatenate([values, [-1e9, 1e9]])
    shown, window = None, (dataset.get("WindowCenter"), dataset.get("WindowWidth"))
    if dataset.get("VOILUTSequence"):
        shown, how = _look_up(probed, dataset.VOILUTSequence[0], little_endian), "look-up table"
    elif None not in window:
        centre, width = (value if isinstance(value, float) else value[0] for value in window)
        how = f"window (centre {centre:g}, width {width:g})"
        # An optional element that is empty means the same as none (PS3.5 7.4.5); pydicom refuses it as unknown.
        dataset.VOILUTFunction = dataset.get("VOILUTFunction") or "LINEAR"
        # A width below 1 is refused; treat it as no window, as viewers do.
        with suppress(ValueError), np.errstate(over="ignore"):
            shown = apply_windowing(probed, dataset)
            # pydicom turns its output range round where RescaleSlope is negative; a window never decreases (C.11.2.1).
            shown = -shown if shown[-2] > shown[-1] else shown
    if shown is None:
        return None, None
    table = to_bytes(shown, shown.min(), shown.max())[:-2]
    if table.min() == table.max() and len(table) > 1:
        return None, f" (its own {how} shows nothing)"
    depth = "" if dataset.BitsStored == 8 else f"{dataset.BitsStored}-bit, "
    return table, f"{depth}windowed to 8 by the file's own {how}"


def _look_up(values: np.ndarray, item: Dataset, little_endian: bool) -> np.ndarray:
    """A DICOM look-up table (PS3.3 C.11.1.1): values below its first or above its last entry get that entry.

    Not pydicom's apply_voi and apply_modality_lut: the one wraps around in tables of 8-bit entries longer than 256, the
    other refuses entries of 9 to 15 bits.
    """
    count, first, _ = item.LUTDescriptor
    entries = item.LUTData
    if isinstance(entries, bytes):
        wide = "<u2" if little_endian else ">u2"
        entries = np.frombuffer(entries, np.uint8 if len(entries) <= (count or 2**16) + 1 else wide)
    entries = np.asarray(entries).astype(np.int64)
    return entries[np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.intp)]

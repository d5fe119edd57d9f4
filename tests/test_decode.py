"""The decoder against files of every kind, most of them hostile, made here or shipped inside pydicom.

Real uploads are decoded too when the environment variable LUNGLENS_UPLOADS names a folder that holds some; files whose
name contains "no_pixels" must then be refused, all others accepted.
"""

import io
import os
import pickle
import random
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile
from pydicom import Dataset, FileMetaDataset, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.filewriter import write_file_meta_info
from pydicom.sequence import Sequence

from cases.decode import MAX_BYTES, decode, decode_file
from cases.radiograph import Radiograph, RadiographError

pytestmark = pytest.mark.filterwarnings("ignore")

HEIGHT, WIDTH = 48, 64
# Bright to the right and, half as steep, downwards: every rotation and mirror image of it is different.
RAMP = np.add.outer(np.arange(HEIGHT) / 2, np.arange(WIDTH))
RAMP = np.rint(RAMP / RAMP.max() * 255).astype(np.uint8)
DEEP = RAMP.astype(np.uint16) * 257


# Files of every kind ------------------------------------------------------------------------------------------------


def picture(pixels: np.ndarray, kind: str, mode: str | None = None, **options) -> bytes:
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def palette_png() -> bytes:
    image = Image.fromarray(255 - RAMP, "P")
    image.putpalette([255 - value // 3 for value in range(768)])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, colour: int = 0) -> bytes:
    """A PNG from its chunks, whatever they hold; checksums are right."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))
        for tag, body in (header, *chunks, (b"IEND", b""))
    )


def rgb16_png() -> bytes:
    rows = b"".join(b"\0" + np.repeat(row[:, None], 3, axis=1).astype(">u2").tobytes() for row in DEEP)
    return png(WIDTH, HEIGHT, (b"IDAT", zlib.compress(rows)), depth=16, colour=2)


def white_is_zero_tiff() -> bytes:
    """16-bit, PhotometricInterpretation 0."""
    return picture(65535 - DEEP, "TIFF", tiffinfo={262: 0})


def dicom(
    pixels: np.ndarray = DEEP >> 4,
    stored: int = 12,
    syntax: uid.UID = uid.ExplicitVRLittleEndian,
    meta: bool = True,
    frame: bytes | None = None,
    **elements,
) -> bytes:
    """A DICOM file. frame: already compressed pixels; elements: more of them by keyword, None to leave one out."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.DigitalXRayImageStorageForPresentation, "1.2.3"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Secret^Patient", "4711", "DX"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *pixels.shape[:2], pixels.size // pixels[..., 0].size
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    else:
        dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = pixels.itemsize * 8, stored, stored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    big = syntax == uid.ExplicitVRBigEndian
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    if frame is not None:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    elif syntax.is_compressed:
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        dataset.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    stream = io.BytesIO()
    if meta:
        dataset.save_as(stream, enforce_file_format=True)
    else:
        del dataset.file_meta
        dataset.save_as(stream, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    return stream.getvalue()


def lossless_jpeg(pixels: np.ndarray, precision: int) -> bytes:
    """JPEG process 14, selection value 1 (ITU-T T.81 H.1): left neighbour as prediction, 5-bit Huffman codes."""
    values = pixels.astype(int)
    predicted = np.empty_like(values)
    predicted[:, 1:], predicted[1:, 0], predicted[0, 0] = values[:, :-1], values[:-1, 0], 2 ** (precision - 1)
    bits = []
    for difference in (values - predicted).ravel().tolist():
        category = abs(difference).bit_length()
        extra = difference if difference > 0 else difference + 2**category - 1
        bits.append(f"{category:05b}" + (f"{extra:0{category}b}" if category else ""))
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    coded = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    return b"".join(
        (
            b"\xff\xd8",
            segment(0xC3, struct.pack(">BHHB", precision, *pixels.shape, 1) + b"\1\x11\0"),
            segment(0xC4, bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])),
            segment(0xDA, b"\1\1\0\1\0\0"),
            coded,
            b"\xff\xd9",
        )
    )


def lut(values: list[int], first: int, bits: int, kind: str = "<u2") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, bits])
    item.add_new("LUTData", "OW", np.asarray(values, kind).tobytes())
    return Sequence([item])


COLOUR = np.stack([RAMP, RAMP // 2, 255 - RAMP], axis=2)
COLOUR_GRAY = COLOUR @ [0.299, 0.587, 0.114]
YELLOW = np.stack([RAMP, RAMP, RAMP // 2], axis=2)
TRANSPARENT = np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, 128)])
FLOAT = RAMP.astype(np.float32) / 1000 - 0.1
JPEG_12 = lossless_jpeg(DEEP >> 4, 12)
SIGNED = (DEEP >> 4).astype(np.int16) - 2048
# Bright in fewer of its pixels than may saturate.
DOT = np.zeros_like(RAMP)
DOT[9, 9] = 1

# name: (bytes, pixels expected, largest difference allowed, part of the notes expected or None). A difference of 3 is
# what the 0.1% of the pixels at either end, which saturate, cost on this small ramp.
GOOD = {
    "gray.jpg": (picture(RAMP, "JPEG", quality=95), RAMP, 4, None),
    "gray as rgb.jpg": (picture(RAMP, "JPEG", "RGB", quality=95), RAMP, 4, None),
    "progressive.jpg": (picture(RAMP, "JPEG", progressive=True, quality=95), RAMP, 4, None),
    "colour.jpg": (picture(COLOUR, "JPEG", quality=98, subsampling=0), COLOUR_GRAY, 6, "colour"),
    "cmyk.jpg": (picture(RAMP, "JPEG", "CMYK", quality=98), RAMP, 4, None),
    "gray.png": (picture(RAMP, "PNG"), RAMP, 0, None),
    "one bit.png": (picture((RAMP > 99).astype(np.uint8) * 255, "PNG", "1"), (RAMP > 99) * 255.0, 0, None),
    "palette.png": (palette_png(), RAMP, 1, None),
    "rgb.png": (picture(RAMP, "PNG", "RGB"), RAMP, 0, None),
    "colour.png": (picture(COLOUR, "PNG"), COLOUR_GRAY, 1, "colour"),
    "yellow.png": (picture(YELLOW, "PNG"), YELLOW @ [0.299, 0.587, 0.114], 1, "colour"),
    "opaque.png": (picture(RAMP, "PNG", "LA"), RAMP, 0, None),
    "transparent.png": (picture(TRANSPARENT, "PNG"), RAMP / 2, 1, "transparent"),
    "transparent gray.png": (picture(TRANSPARENT, "PNG", "LA"), RAMP / 2, 1, "transparent"),
    "16 bit.png": (picture(DEEP, "PNG"), RAMP, 3, "16-bit, windowed to 8"),
    "12 in 16 bit.png": (picture(DEEP >> 4, "PNG"), RAMP, 3, "16-bit, windowed to 8"),
    "16 bit dot.png": (picture(DOT * np.uint16(9), "PNG"), DOT * 255.0, 0, "16-bit, windowed to 8"),
    "16 bit colour.png": (rgb16_png(), RAMP, 1, "16 bits per channel"),
    "lossless.webp": (picture(RAMP, "WEBP", "RGB", lossless=True), RAMP, 1, None),
    "lossy.webp": (picture(RAMP, "WEBP", "RGB", quality=95), RAMP, 8, None),
    "gray.tif": (picture(RAMP, "TIFF"), RAMP, 0, None),
    "lzw.tif": (picture(RAMP, "TIFF", compression="tiff_lzw"), RAMP, 0, None),
    "16 bit.tif": (picture(DEEP, "TIFF"), RAMP, 3, "16-bit, windowed to 8"),
    "16 bit white is zero.tif": (white_is_zero_tiff(), RAMP, 3, "16-bit, windowed to 8"),
    "float.tif": (picture(FLOAT, "TIFF"), RAMP, 3, "32-bit, windowed to 8"),
    "gray.bmp": (picture(RAMP, "BMP"), RAMP, 0, None),
    "8 bit.dcm": (dicom(RAMP, 8), RAMP, 0, None),
    "8 bit moved.dcm": (dicom(RAMP // 2, 8, RescaleSlope=1, RescaleIntercept=100), RAMP // 2 + 100, 0, None),
    "8 bit moved too far.dcm": (dicom(RAMP, 8, RescaleSlope=1, RescaleIntercept=1), RAMP, 3, "8-bit, windowed to 8"),
    "8 bit mirrored.dcm": (dicom(255 - RAMP, 8, RescaleSlope=-1, RescaleIntercept=255), RAMP, 0, None),
    "8 bit rescaled.dcm": (dicom(RAMP, 8, RescaleSlope=0.1, RescaleIntercept=0), RAMP, 3, "8-bit, windowed to 8 betw"),
    "8 bit of 1.dcm": (dicom(RAMP, 8, RescaleSlope=0.00392, RescaleIntercept=0), RAMP, 3, "8-bit, windowed to 8 betw"),
    "8 bit modality lut.dcm": (
        dicom(RAMP, 8, ModalityLUTSequence=lut([i // 8 for i in range(256)], 0, 8)),
        RAMP // 8 * (255 / 31), 1, "8-bit, windowed to 8 between",
    ),
    "constant rescaled.dcm": (
        dicom(np.full_like(DEEP, 9), RescaleSlope=1, RescaleIntercept=0), RAMP * 0, 0, "nothing to see",
    ),
    "12 bit.dcm": (dicom(), RAMP, 3, "12-bit, windowed to 8 between"),
    "implicit.dcm": (dicom(syntax=uid.ImplicitVRLittleEndian), RAMP, 3, "12-bit"),
    "big endian.dcm": (dicom(syntax=uid.ExplicitVRBigEndian), RAMP, 3, "12-bit"),
    "no meta.dcm": (dicom(meta=False), RAMP, 3, "12-bit"),
    "no meta implicit.dcm": (dicom(syntax=uid.ImplicitVRLittleEndian, meta=False), RAMP, 3, "12-bit"),
    "signed.dcm": (dicom(SIGNED), RAMP, 3, "12-bit"),
    "unused bits set.dcm": (dicom((DEEP >> 4) | 0xF000), RAMP, 3, "12-bit"),
    "monochrome1.dcm": (dicom(4095 - (DEEP >> 4), PhotometricInterpretation="MONOCHROME1"), RAMP, 3, "MONOCHROME1"),
    "rgb.dcm": (dicom(COLOUR, 8), COLOUR_GRAY, 1, "colour"),
    "rle.dcm": (dicom(syntax=uid.RLELossless), RAMP, 3, "12-bit"),
    "jpeg 2000.dcm": (dicom(syntax=uid.JPEG2000Lossless), RAMP, 3, "12-bit"),
    "signed jpeg 2000.dcm": (dicom(SIGNED, syntax=uid.JPEG2000Lossless), RAMP, 3, "12-bit"),
    "jpeg.dcm": (
        dicom(RAMP, 8, uid.JPEGBaseline8Bit, frame=picture(RAMP, "JPEG", quality=95)), RAMP, 4, None,
    ),
    "ybr jpeg.dcm": (
        dicom(COLOUR, 8, uid.JPEGBaseline8Bit, frame=picture(COLOUR, "JPEG", quality=98, subsampling=0),
              PhotometricInterpretation="YBR_FULL"),
        COLOUR_GRAY, 6, "colour",
    ),
    "lossless jpeg.dcm": (dicom(syntax=uid.JPEGLosslessSV1, frame=JPEG_12), RAMP, 3, "12-bit"),
    "window.dcm": (
        dicom(WindowCenter=1024.5, WindowWidth=2049, RescaleSlope=1, RescaleIntercept=0),
        np.clip(RAMP * 2.0, 0, 255), 2, "own window (centre 1024.5, width 2049)",
    ),
    "wide window.dcm": (dicom(WindowCenter=["4096", "1"], WindowWidth=["8192", "1"]), RAMP / 2, 1, "own window"),
    "window of an empty function.dcm": (
        dicom(WindowCenter=4096, WindowWidth=8192, VOILUTFunction=""), RAMP / 2, 1, "own window",
    ),
    "rescaled window.dcm": (
        dicom(WindowCenter=0, WindowWidth=8190, RescaleSlope=2, RescaleIntercept=-4095), RAMP, 3, "own window",
    ),
    "negative slope.dcm": (dicom(4095 - (DEEP >> 4), RescaleSlope=-1, RescaleIntercept=4095), RAMP, 3, "12-bit"),
    "negative slope window.dcm": (
        dicom(4095 - (DEEP >> 4), RescaleSlope=-1, RescaleIntercept=4095, WindowCenter=2048, WindowWidth=4096),
        RAMP, 1, "own window",
    ),
    "negative slope sigmoid.dcm": (
        dicom(
            4095 - (DEEP >> 4), RescaleSlope=-1, RescaleIntercept=4095,
            WindowCenter=2048, WindowWidth=1024, VOILUTFunction="SIGMOID",
        ),
        255 / (1 + np.exp(-4 * ((DEEP >> 4) - 2048.0) / 1024)), 2, "own window",
    ),
    "monochrome1 negative slope window.dcm": (
        dicom(
            DEEP >> 4, RescaleSlope=-1, RescaleIntercept=4095,
            WindowCenter=2048, WindowWidth=4096, PhotometricInterpretation="MONOCHROME1",
        ),
        RAMP, 1, "MONOCHROME1",
    ),
    "inverting voi lut.dcm": (
        dicom(4095 - (DEEP >> 4), VOILUTSequence=lut([*range(4095, -1, -1)], 0, 12)), RAMP, 1, "table",
    ),
    "sigmoid.dcm": (
        dicom(WindowCenter=2048, WindowWidth=1024, VOILUTFunction="SIGMOID"),
        255 / (1 + np.exp(-4 * ((DEEP >> 4) - 2048.0) / 1024)), 2, "own window",
    ),
    "zero window.dcm": (dicom(WindowCenter=0, WindowWidth=0), RAMP, 3, "between its darkest"),
    "empty window.dcm": (dicom(WindowCenter="", WindowWidth=""), RAMP, 3, "between its darkest"),
    "blank window.dcm": (dicom(WindowCenter=99999, WindowWidth=10), RAMP, 3, "shows nothing"),
    "voi lut.dcm": (dicom(VOILUTSequence=lut([*range(256)] * 1, 0, 8)), np.clip(RAMP * 16.0, 0, 255), 16, "table"),
    "long 8-bit voi lut.dcm": (dicom(VOILUTSequence=lut([i >> 4 for i in range(4096)], 0, 8)), RAMP, 1, "table"),
    "8-bit voi lut in bytes.dcm": (
        dicom(VOILUTSequence=lut([i >> 4 for i in range(4096)], 0, 8, "u1")), RAMP, 1, "table",
    ),
    "modality lut.dcm": (dicom(ModalityLUTSequence=lut([i // 4 for i in range(4096)], 0, 10)), RAMP, 3, "12-bit"),
    "ct.dcm": (dicom(Modality="CT"), RAMP, 3, "Modality is CT"),
    "jaw.dcm": (dicom(BodyPartExamined="JAW"), RAMP, 3, "body part is JAW"),
    "aspect.dcm": (dicom(PixelAspectRatio=[1, 2]), RAMP, 3, "not square"),
    "no suffix": (dicom(), RAMP, 3, "12-bit"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_every_format_gives_the_ramp(name):
    data, expected, tolerance, note = GOOD[name]
    radiograph = decode(data, name)
    assert radiograph.pixels.shape == expected.shape
    assert np.abs(radiograph.pixels - expected.astype(float)).max() <= tolerance
    assert radiograph.source == name
    assert not radiograph.synthetic
    if note is None:
        assert radiograph.notes == ()
    else:
        assert note in " | ".join(radiograph.notes)


# Three ramps across each other, so that a gray comes in several hues.
PHOTOGRAPH = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=2)
PHOTOGRAPH_YBR = np.asarray(Image.fromarray(PHOTOGRAPH).convert("YCbCr"))
PHOTOGRAPH_JPEG = picture(PHOTOGRAPH, "JPEG", quality=98, subsampling=0)
# name: (bytes, largest difference of the colour from that of the same picture as PNG)
PHOTOGRAPHS = {
    "rgb": (dicom(PHOTOGRAPH, 8), 0),
    "rle": (dicom(PHOTOGRAPH, 8, uid.RLELossless), 0),
    "16 bit": (dicom(PHOTOGRAPH.astype(np.uint16) * 257, 16), 0),
    "ybr": (dicom(PHOTOGRAPH_YBR, 8, PhotometricInterpretation="YBR_FULL"), 0.01),
    "jpeg": (
        dicom(PHOTOGRAPH, 8, uid.JPEGBaseline8Bit, frame=PHOTOGRAPH_JPEG, PhotometricInterpretation="YBR_FULL"), 0.01,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_has_the_same_colour_in_dicom(name):
    data, tolerance = PHOTOGRAPHS[name]
    colour = decode(picture(PHOTOGRAPH, "PNG"), "photograph.png").colour
    assert colour > 0.1
    assert decode(data, "photograph.dcm").colour == pytest.approx(colour, abs=tolerance)


def test_the_colour_of_red_beside_green_by_hand():
    """Both are as gray, so that red minus green is 1 to either side of its mean, and blue minus green a half."""
    halves = np.repeat(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8), 32, axis=1).repeat(64, axis=0)
    assert decode(picture(halves, "PNG"), "halves.png").colour == pytest.approx(np.sqrt((1 + 0.25) / 2))


def test_a_gray_film_stored_in_colours_has_none():
    for data in (dicom(np.dstack([RAMP] * 3), 8), picture(RAMP, "PNG", "RGB"), dicom(RAMP, 8)):
        radiograph = decode(data, "film")
        assert np.array_equal(radiograph.pixels, RAMP)
        assert radiograph.colour == 0
        assert radiograph.notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(kind, orientation):
    # What the sensor recorded when the film is RAMP, per value of the tag (TIFF 6.0, Orientation).
    recorded = {
        1: RAMP, 2: RAMP[:, ::-1], 3: RAMP[::-1, ::-1], 4: RAMP[::-1],
        5: RAMP.T, 6: np.rot90(RAMP), 7: np.rot90(RAMP, 2).T, 8: np.rot90(RAMP, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    radiograph = decode(picture(np.ascontiguousarray(recorded), kind, exif=exif), "film")
    assert radiograph.pixels.shape == RAMP.shape
    assert np.abs(radiograph.pixels.astype(int) - RAMP).max() <= 8
    assert any("EXIF" in note for note in radiograph.notes) == (orientation > 1)


def test_broken_exif_does_not_cost_the_picture():
    assert decode(picture(RAMP, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), "film.png").pixels.shape == RAMP.shape


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_of_wrong_types_does_not_cost_the_turn(kind):
    # The maker as a float, and orientation 6.
    entries = struct.pack("<HHIfHHII", 0x010F, 11, 1, 1.0, 0x0112, 3, 1, 6)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    radiograph = decode(picture(np.ascontiguousarray(np.rot90(RAMP)), kind, exif=exif), "film")
    assert radiograph.pixels.shape == RAMP.shape
    assert np.abs(radiograph.pixels.astype(int) - RAMP).max() <= 8


def test_phone_picture_with_a_second_image_behind_it():
    stream = io.BytesIO()
    Image.fromarray(RAMP).save(stream, "MPO", save_all=True, append_images=[Image.fromarray(255 - RAMP)], quality=95)
    assert np.abs(decode(stream.getvalue(), "phone.jpg").pixels.astype(int) - RAMP).max() <= 4


def test_hot_pixels_do_not_flatten_the_film():
    pixels = DEEP >> 5
    pixels[0, 0] = 65535
    assert np.abs(decode(picture(pixels, "PNG"), "hot.png").pixels[1:].astype(int) - RAMP[1:]).max() <= 4


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("value", "limit"), [(0, None), (65000, 65010)])
def test_pixel_padding_is_black_and_outside_the_window(photometric, value, limit):
    pixels = 20000 + DEEP // 4
    if photometric == "MONOCHROME1":
        pixels = 60000 - pixels
    pixels[:, :20] = limit or value
    elements = {"PixelPaddingValue": value, **({"PixelPaddingRangeLimit": limit} if limit else {})}
    film = decode(dicom(pixels, 16, PhotometricInterpretation=photometric, **elements), "padded.dcm").pixels
    assert (film[:, :20] == 0).all()
    assert film[:, 20:].min() <= 1
    assert film[:, 20:].max() >= 254
    assert film[5, 25] < film[5, 60]


@pytest.mark.parametrize("data", [picture(np.full_like(RAMP, 7), "PNG"), dicom(np.full_like(DEEP, 7), 12)])
def test_constant_image_is_allowed_and_noted(data):
    radiograph = decode(data, "flat")
    assert np.ptp(radiograph.pixels) == 0
    assert any("nothing to see" in note for note in radiograph.notes)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"),
    ],
)
def test_files_of_other_makers_agree_with_their_uncompressed_twin(name, reference):
    pixels, expected = (decode_file(Path(get_testdata_file(n, download=False)), n).pixels for n in (name, reference))
    assert np.abs(pixels.astype(int) - expected).max() <= 8


# What must be refused -----------------------------------------------------------------------------------------------


def zip_file() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("film.png", picture(RAMP, "PNG"))
    return stream.getvalue()


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def several(kind: str, **options) -> bytes:
    return picture(RAMP, kind, save_all=True, append_images=[Image.fromarray(255 - RAMP)], **options)


def huge_j2k() -> bytes:
    """A JPEG 2000 header of 60,000 x 60,000 inside a DICOM file that says 64 x 48."""
    size = struct.pack(">HHIIIIIIIIH", 41, 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0, 1)
    return dicom(syntax=uid.JPEG2000, frame=b"\xff\x4f\xff\x51" + size + b"\x0b\1\1" + b"\0" * 200)


def large_float_tiff() -> bytes:
    """A header of 5,000 x 5,000 over the pixels of a small film."""
    data = picture(FLOAT, "TIFF")
    for tag, side in ((256, WIDTH), (257, HEIGHT)):
        entry = struct.pack("<HHI", tag, 4, 1)
        assert entry + struct.pack("<I", side) in data
        data = data.replace(entry + struct.pack("<I", side), entry + struct.pack("<I", 5000))
    return data


def large_tile_tiff() -> bytes:
    """A small film in the corner of a tile of 46,000 x 46,000, deflated."""
    packed = zlib.compress(bytes(9999))
    tags = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 8, 262: 1, 277: 1, 322: 46000, 323: 46000, 324: 134, 325: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + packed


def many_scans() -> bytes:
    data = picture(RAMP, "JPEG", progressive=True)[:-2]
    return data + data[data.rindex(b"\xff\xda") :] * 500 + b"\xff\xd9"


def many_items() -> bytes:
    """A DICOM file with a sequence of empty items, ReferencedImageSequence, that nobody asks for."""
    plain = dicom()
    start = plain.index(struct.pack("<HH", 0x0008, 0x0016))
    head = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    items, end = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 100_001, struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return plain[:start] + head + items + end + plain[start:]


def deflated_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(bytes(100_000_000)) + packer.flush()
    plain = dicom()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    stream = io.BytesIO()
    write_file_meta_info(stream, meta, enforce_standard=False)
    return plain[:132] + stream.getvalue() + packed


CUT_JPEG = picture(np.random.default_rng(0).integers(0, 255, RAMP.shape, np.uint8), "JPEG")
BOMB = zlib.compress(bytes(100_000_000), 9)
DAMAGED = "damaged, cut off"
BOMBS = {
    "huge.png": (png(60000, 60000, (b"IDAT", zlib.compress(bytes(60001)))), "megapixels"),
    "large.png": (png(7000, 7000, (b"IDAT", BOMB)), "7000 × 7000"),
    "huge.jpg": (picture(RAMP, "JPEG").replace(struct.pack(">HH", HEIGHT, WIDTH), b"\xff\xff\xff\xff", 1), "megapix"),
    "huge.bmp": (picture(RAMP, "BMP").replace(struct.pack("<ii", WIDTH, HEIGHT), struct.pack("<ii", 50000, 9999)), ""),
    "large colour.png": (
        png(6000, 5000, (b"IDAT", BOMB), colour=2),
        "at most 26.7 megapixels of 3 bytes. Received 6000 × 5000, which is 30.0.",
    ),
    "large transparent.png": (png(5000, 5000, (b"IDAT", BOMB), colour=6), "at most 20.0 megapixels of 4 bytes"),
    "large palette.png": (
        png(5000, 5000, (b"PLTE", bytes(768)), (b"tRNS", bytes(256)), (b"IDAT", BOMB), colour=3),
        "at most 20.0 megapixels of 4 bytes",
    ),
    "large tile.tif": (large_tile_tiff(), "Received 46000 × 46000"),
    "large float.tif": (large_float_tiff(), "at most 20.0 megapixels of 4 bytes. Received 5000 × 5000"),
    "large colour.dcm": (
        dicom(COLOUR.astype(np.uint16), 16, Rows=4000, Columns=4000),
        "at most 13.3 megapixels of 6 bytes",
    ),
    "huge.dcm": (dicom(Rows=65535, Columns=65535), "megapixels"),
    "huge rle.dcm": (dicom(syntax=uid.RLELossless, frame=bytes(64) + b"\x81\0" * 99999), DAMAGED),
    "huge jpeg 2000.dcm": (huge_j2k(), "60000 × 60000 in the compressed data"),
    "many items.dcm": (many_items(), "at most 100,000 items. Received 100,001"),
    "deflated.dcm": (deflated_bomb(), "Received Deflated"),
}
BAD = {
    "empty.png": (b"", "empty file"),
    "letter.txt": (b"Dear doctor,\nhere is the X-ray.", "a text file of 31 bytes"),
    "umlauts.txt": ("Röntgenbild ".encode() * 300, "a text file of 4 kB"),
    "report.pdf": (b"%PDF-1.7\n" + bytes(2000), "a PDF document of 2 kB"),
    "films.zip": (zip_file(), "a ZIP archive"),
    "page.html": (b"\n<!doctype html><html></html>", "an HTML or XML document"),
    "model.pkl": (pickle.dumps({"a": 1}), "a Python pickle"),
    "array.npy": (b"\x93NUMPY" + bytes(99), "a NumPy array"),
    "photo.heic": (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC"),
    "film.gif": (picture(RAMP, "GIF"), "a GIF image"),
    "noise": (bytes(range(128, 256)) * 9, "unknown kind"),
    "short.png": (b"\x89PNG\r\n\x1a\n", DAMAGED),
    "many scans.jpg": (many_scans(), "at most 500 scans. Received 506"),
    "many scans.dcm": (dicom(RAMP, 8, uid.JPEGBaseline8Bit, frame=many_scans()), "at most 500 scans"),
    "cut.jpg": (CUT_JPEG[: len(CUT_JPEG) // 2], "whole JPEG image"),
    "cut.png": (picture(RAMP, "PNG")[:-200], DAMAGED),
    "cut.dcm": (dicom()[:-1000], "whole DICOM image"),
    "cut header.dcm": (dicom()[:400], "one without, or cut off"),
    "cut jpeg.dcm": (dicom(RAMP, 8, uid.JPEGBaseline8Bit, frame=CUT_JPEG[: len(CUT_JPEG) // 2]), "cut off"),
    "cut lossless jpeg.dcm": (dicom(syntax=uid.JPEGLosslessSV1, frame=JPEG_12[: len(JPEG_12) // 2]), "cut off"),
    "cut rle.dcm": (dicom(syntax=uid.RLELossless)[:-900], "cut off"),
    "bad segment rle.dcm": (dicom(syntax=uid.RLELossless, frame=struct.pack("<3I", 2, 64, 70) + bytes(900)), DAMAGED),
    "cut jpeg 2000.dcm": (dicom(syntax=uid.JPEG2000Lossless)[:-300], ""),
    "not jpeg.dcm": (dicom(syntax=uid.JPEGBaseline8Bit, frame=b"nonsense" * 99), DAMAGED),
    "shifted.png": (picture(RAMP, "PNG").replace(b"IDAT", b"IDAT\1", 1), DAMAGED),
    "one bit wrong.png": (flipped(picture(RAMP, "PNG"), 190), DAMAGED),
    "header only.dcm": (dicom(PixelData=None), "Received one without, or cut off (Digital X-Ray Image Storage"),
    "report.dcm": (dicom(SOPClassUID=uid.BasicTextSRStorage, Rows=None, PixelData=None), "Basic Text SR"),
    "movie.dcm": (dicom(NumberOfFrames=2), "2 frames"),
    "palette.dcm": (dicom(PhotometricInterpretation="PALETTE COLOR"), "PALETTE COLOR"),
    "mpeg.dcm": (dicom(syntax=uid.MPEG2MPML, frame=bytes(99)), "Received MPEG2"),
    "32 bit.dcm": (dicom(BitsAllocated=32), "1 of 32 bits"),
    "infinite slope.dcm": (dicom(RescaleSlope="1e400", RescaleIntercept=0), "apart. Received 1e400 and 0.0."),
    "slope of 0.dcm": (dicom(RescaleSlope=0, RescaleIntercept=5), "apart. Received 0.0 and 5.0."),
    "huge slope.dcm": (dicom(RescaleSlope="1e308", RescaleIntercept=0), "apart. Received 1e308 and 0.0."),
    "huge intercept.dcm": (dicom(RescaleSlope=1, RescaleIntercept="-1e20"), "apart. Received 1.0 and -1e20."),
    "no syntax.dcm": (dicom(frame=JPEG_12, meta=False), "TransferSyntaxUID"),
    "other size.dcm": (dicom(Rows=40, syntax=uid.JPEGLosslessSV1, frame=JPEG_12), "64 × 48 in the compressed data"),
    "pages.tif": (several("TIFF"), "several pages or frames"),
    "animated.webp": (several("WEBP"), "several pages or frames"),
    "animated.png": (several("PNG"), "several pages or frames"),
    "nan.tif": (picture(np.where(RAMP > 250, np.nan, FLOAT).astype(np.float32), "TIFF"), "not a number"),
    "inf.tif": (picture(np.where(RAMP > 250, np.inf, FLOAT).astype(np.float32), "TIFF"), "infinite"),
    "tiny.png": (picture(RAMP[:8, :8], "PNG"), "at least 32 × 32 pixels. Received 8 × 8"),
    "tiny.dcm": (dicom(RAMP[:8], 8), "Received 64 × 8"),
    "large file.png": (picture(RAMP, "PNG") + bytes(MAX_BYTES), "at most 30.0 MB"),
    # As large as a film for a mammogram: its size is none to refuse.
    "large 16 bit.png": (png(6000, 5000, (b"IDAT", zlib.compress(bytes(9))), depth=16), DAMAGED),
    **BOMBS,
}


@pytest.mark.parametrize("name", BAD)
def test_everything_else_is_refused_in_words(name):
    data, expected = BAD[name]
    with pytest.raises(RadiographError) as refusal:
        decode(data, name)
    message = str(refusal.value)
    assert message.startswith(f"{name}: expected ")
    assert "Received" in message
    assert expected in message
    assert len(message) < 300
    assert "\n" not in message
    assert "Secret" not in message
    assert "4711" not in message


DECODE_ALL = """
import sys
from pathlib import Path
from cases.decode import RadiographError, decode

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

for path in sorted(Path(sys.argv[1]).iterdir()):
    data, before = path.read_bytes(), peak()
    try:
        decode(data, path.name)
    except RadiographError:
        pass
    print(path.name, (peak() - before) // 1000, sep="=")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_bombs_cost_no_memory(tmp_path):
    plain = (b"IDAT", zlib.compress(b"\0" * (WIDTH + 1) * HEIGHT))
    bombs = {name: data for name, (data, _) in BOMBS.items()}
    for tag in (b"iCCP", b"zTXt"):
        bombs[f"{tag.decode()}.png"] = png(WIDTH, HEIGHT, (tag, b"x\0\0" + BOMB), plain)
    bombs["IDAT.png"] = png(WIDTH, HEIGHT, (b"IDAT", BOMB))
    # Two files that are fine go first, so that what a first decoding loads is not counted.
    bombs |= {"0.png": GOOD["gray.png"][0], "1.dcm": GOOD["jpeg 2000.dcm"][0]}
    for name, data in bombs.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-W", "ignore", "-c", DECODE_ALL, str(tmp_path)]
    result = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    megabytes = dict(line.split("=") for line in result.stdout.splitlines())
    assert set(megabytes) == set(bombs)
    assert {
        name: int(cost) for name, cost in megabytes.items() if int(cost) > 20 and name not in ("0.png", "1.dcm")
    } == {}


FUZZED = [
    *("gray.jpg", "progressive.jpg", "gray.png", "palette.png", "16 bit.png", "lossless.webp", "lossy.webp"),
    *("gray.tif", "lzw.tif", "float.tif", "gray.bmp", "12 bit.dcm", "implicit.dcm", "no meta.dcm", "rle.dcm"),
    *("jpeg 2000.dcm", "jpeg.dcm", "lossless jpeg.dcm", "window.dcm", "long 8-bit voi lut.dcm"),
]


def decoded_or_none(data: bytes) -> Radiograph | None:
    try:
        return decode(data, "fuzzed")
    except RadiographError:
        return None


@pytest.mark.parametrize("name", FUZZED)
def test_flipped_bytes_raise_nothing_but_radiograph_error(name):
    data, chance = GOOD[name][0], random.Random(name)
    for _ in range(40):
        damaged = bytearray(data)
        # Headers are short, and most of what can go wrong is in them.
        reach = chance.choice((64, 600, len(data)))
        for _ in range(chance.choice((1, 2, 8))):
            damaged[chance.randrange(min(reach, len(data)))] = chance.randrange(256)
        decoded_or_none(bytes(damaged))


@pytest.mark.parametrize("name", FUZZED)
def test_a_cut_off_file_is_refused_or_whole(name):
    data, chance = GOOD[name][0], random.Random(name)
    whole = decode(data, name).pixels
    for length in [*range(12), *(chance.randrange(len(data)) for _ in range(20)), len(data) - 2, len(data) - 1]:
        radiograph = decoded_or_none(data[:length])
        assert radiograph is None or np.array_equal(radiograph.pixels, whole), length


# Habits -------------------------------------------------------------------------------------------------------------


def test_weird_errors_become_radiograph_errors_and_memory_errors_pass(monkeypatch):
    def fail_with(error):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr("cases.decode.Image.open", fail)

    for error in (RecursionError(), SystemError(), AssertionError(), struct.error(), KeyError()):
        fail_with(error)
        with pytest.raises(RadiographError):
            decode(GOOD["gray.png"][0], "film.png")
    for error in (MemoryError, KeyboardInterrupt):
        fail_with(error)
        with pytest.raises(error):
            decode(GOOD["gray.png"][0], "film.png")


def test_file_name_is_made_safe_for_a_message():
    with pytest.raises(RadiographError) as refusal:
        decode(b"", "a\nb\x00\u202e" + "x" * 500 + ".png")
    message = str(refusal.value)
    assert message.startswith("abxxx")
    assert "xxxxx.png: expected" in message
    assert len(message) < 200
    assert decode(GOOD["gray.png"][0], "").source == "unnamed file"


def test_pillow_settings_are_left_alone():
    limit = Image.MAX_IMAGE_PIXELS
    decode(*GOOD["gray.png"][:1], "film.png")
    assert limit == Image.MAX_IMAGE_PIXELS
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_cut_off_files_are_refused_even_when_a_library_allowed_them(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(RadiographError):
        decode(BAD["cut.jpg"][0], "cut.jpg")


def test_a_digest_is_of_the_shape_and_the_values():
    wide = Radiograph(np.zeros((2, 8), np.uint8), "a")
    assert wide.digest == Radiograph(np.zeros((2, 8), np.uint8), "b").digest
    others = np.zeros((4, 4), np.uint8), np.zeros((2, 8), np.uint8) + np.eye(2, 8, dtype=np.uint8)
    assert len({wide.digest, *(Radiograph(pixels, "a").digest for pixels in others)}) == 3


def test_threads_do_not_disturb_each_other():
    names = ["gray.jpg", "16 bit.png", "rle.dcm", "jpeg.dcm", "monochrome1.dcm", "jpeg 2000.dcm"] * 4
    results = {}

    def work(number: int, name: str) -> None:
        results[number] = decode(GOOD[name][0], name).pixels

    threads = [threading.Thread(target=work, args=job) for job in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, name in enumerate(names):
        assert np.array_equal(results[number], decode(GOOD[name][0], name).pixels)


def test_decode_file_says_why_it_could_not_read(tmp_path):
    with pytest.raises(RadiographError, match=r"lost\.png: expected a file to read\. Received: No such file"):
        decode_file(tmp_path / "lost.png", "lost.png")
    with (tmp_path / "large.png").open("wb") as file:
        file.write(GOOD["gray.png"][0])
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(RadiographError, match=r"large\.png: expected a file of at most 30\.0 MB"):
        decode_file(tmp_path / "large.png", "large.png")


def test_real_uploads():
    folder = os.environ.get("LUNGLENS_UPLOADS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LUNGLENS_UPLOADS names no folder")
    for path in sorted(Path(folder).iterdir()):
        if "no_pixels" in path.name:
            with pytest.raises(RadiographError, match="one without"):
                decode_file(path, path.name)
        else:
            assert np.ptp(decode_file(path, path.name).pixels) > 100

"""Pictures of any kind become pixels of one shape; bad files are refused with a reason."""

import base64
import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from s2scli.data.codecs.cell import BadCellError
from s2scli.data.codecs.picture_files import (
    MAX_BYTES,
    MAX_PIXELS,
    Pixels,
    data_uri,
    encode_png,
    native_shape,
    pixels_of_uri,
    read_picture,
)
from s2scli.errors import MissingExtraError
from s2scli.sides import Picture

Image = pytest.importorskip("PIL.Image", reason="Pillow is of the extra vision")

GREY = Picture(4, 6, 1)
COLOUR = Picture(4, 6, 3)


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG file whose header promises a size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + rest


def encoded(format: str) -> bytes:
    written = io.BytesIO()
    Image.fromarray(noise(60, 50, 3)).save(written, format)
    return written.getvalue()


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(4, 6, 1), (4, 6, 3), (1, 1, 1), (1, 9, 3)]
)
def test_a_png_returns_its_pixels(
    height: int, width: int, channels: Literal[1, 3], tmp_path: Path
) -> None:
    shape = Picture(height, width, channels)
    pixels = noise(height, width, channels)
    (tmp_path / "a.png").write_bytes(encode_png(pixels))
    name = str(tmp_path / "a.png")
    assert native_shape(name) == shape
    assert np.array_equal(read_picture(name, native_shape(name)), pixels)
    assert encode_png(pixels) == encode_png(pixels.copy())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_uri_returns_its_pixels(channels: int) -> None:
    pixels = noise(4, 6, channels)
    uri = data_uri(pixels)
    assert uri.startswith("data:image/png;base64,") and "\n" not in uri
    assert np.array_equal(pixels_of_uri(uri), pixels)


MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_read_as_grey_and_as_colour(mode: str, tmp_path: Path) -> None:
    levels = np.array([[0, 255] * 3, [255, 0] * 3] * 2, dtype=np.uint8)
    image = Image.fromarray(levels)
    if mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 257)
    elif mode == "I":
        image = Image.fromarray(levels.astype(np.int32) * 257)
    elif mode == "F":
        image = Image.fromarray(levels.astype(np.float32) / 255)
    elif mode != "L":
        image = (image.convert("RGB") if mode in ("CMYK", "YCbCr") else image).convert(mode)
    assert image.mode == mode
    path = tmp_path / ("a.png" if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "a.tif")
    if mode == "PA":  # no format has it: GIF and PNG keep the transparency of a palette aside
        path = tmp_path / "a.gif"
        image.convert("RGBA").save(path)
    else:
        image.save(path)
    grey, colour = (read_picture(str(path), shape) for shape in (GREY, COLOUR))
    assert np.array_equal(grey[..., 0], levels)
    assert np.array_equal(colour, np.repeat(levels[..., None], 3, -1))
    wanted = 1 if mode in ("1", "L", "LA", "I;16", "I", "F") else 3
    found = native_shape(str(path))
    assert (found.height, found.width) == (4, 6)
    assert mode == "PA" or found.channels == wanted


def test_floats_beyond_1_are_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-5.0, 7.4, 300.0]], np.float32)).save(tmp_path / "a.tif")
    found = read_picture(str(tmp_path / "a.tif"), Picture(1, 3, 1))
    assert found[0, :, 0].tolist() == [0, 7, 255]


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)).save(tmp_path / "a.png")
    found = read_picture(str(tmp_path / "a.png"), Picture(1, 2, 1))
    assert found[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("levels", [[200, 5, 201, 255], [51_400, 1285, 51_403, 65_535]])
def test_the_transparent_level_of_a_grey_picture_is_white(
    levels: list[int], tmp_path: Path
) -> None:
    depth, kind = (16, ">u2") if max(levels) > 255 else (8, "u1")
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, depth, 0, 0, 0, 0)),
            chunk(b"tRNS", struct.pack(">H", levels[0])),
            chunk(b"IDAT", zlib.compress(b"\0" + np.array(levels, kind).tobytes())),
            chunk(b"IEND", b""),
        )
    )
    (tmp_path / "a.png").write_bytes(content)
    found = read_picture(str(tmp_path / "a.png"), Picture(1, 4, 1))
    nearly = 201 if depth == 8 else 200  # this level is opaque, though the same in 8 bits
    assert found[0, :, 0].tolist() == [255, 5, nearly, 255]


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 6), level, np.uint8)) for level in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert not read_picture(str(tmp_path / "a.gif"), GREY).any()


@pytest.mark.parametrize("format", ["png", "tif"])
@pytest.mark.parametrize("depth", [8, 16])
def test_the_orientation_of_a_camera_is_applied(format: str, depth: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    levels = np.array([[0, 255, 0]], np.uint8)
    image = Image.fromarray(levels if depth == 8 else levels.astype(np.uint16) * 257)
    image.save(tmp_path / f"a.{format}", exif=exif)
    name = str(tmp_path / f"a.{format}")
    assert native_shape(name) == Picture(3, 1, 1)
    assert read_picture(name, Picture(3, 1, 1))[:, 0, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize(
    ("size", "shape", "found"),
    [
        ((8, 12), Picture(4, None, 1), (4, 6)),
        ((4, 6), Picture(4, None, 1), (4, 6)),
        ((2, 3), Picture(4, None, 1), (4, 6)),
        ((100, 1), Picture(4, None, 1), (4, 1)),
        ((100, 1), Picture(4, 6, 3), (4, 6)),
        ((1, 100), Picture(4, 6, 3), (4, 6)),
        ((7, 5), Picture(4, 6, 3), (4, 6)),
    ],
)
def test_a_picture_gets_the_shape(
    size: tuple[int, int], shape: Picture, found: tuple[int, int]
) -> None:
    pixels = read_picture(data_uri(noise(*size, 1)), shape)
    assert pixels.shape == (*found, shape.channels) and pixels.dtype == np.uint8


def test_a_smaller_picture_holds_the_means() -> None:
    pixels = noise(8, 12, 1)
    means = pixels.reshape(4, 2, 6, 2).mean((1, 3))
    found = read_picture(data_uri(pixels), GREY)[..., 0]
    assert np.abs(found - means).max() <= 1


def test_proportions_are_kept_and_the_border_continues() -> None:
    pixels = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    pixels[1:3, 1:3] = 200
    found = read_picture(data_uri(pixels), COLOUR)
    assert np.array_equal(found[:, 1:5], pixels)
    assert (found[:, [0, 5]] == (10, 20, 30)).all()


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # a hole: it takes no disk


def loop(path: Path) -> None:
    path.symlink_to(path)


BAD: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda path: None, "missing", "no such file"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "missing", "no such file"),
    "link loop": (loop, "unreadable", "cannot be read: too many levels"),
    "folder": (lambda path: path.mkdir(), "unreadable", "not a regular file"),
    "pipe": (lambda path: os.mkfifo(path), "unreadable", "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "unreadable", "not a regular file"),
    "empty": (write(b""), "unreadable", "the file is empty"),
    "text": (write(b"Hello, world\n" * 9), "unreadable", "not a picture"),
    "other format": (write(encoded("PCX")), "unreadable", "not a picture"),
    "EPS": (write(encoded("EPS")), "unreadable", "not a picture"),
    "large file": (large, "too_large", "bytes (limit"),
    "bomb": (write(png_of_size(10_000, 10_000)), "too_large", "10000 x 10000 pixels"),
    "larger bomb": (write(png_of_size(2**30, 2**30)), "too_large", "pixels"),
    "one row of a bomb": (write(png_of_size(1_000_000, 1)), "unreadable", "damaged picture"),
    "no width": (write(png_of_size(0, 4)), "unreadable", ""),
    "no height": (write(png_of_size(4, 0)), "unreadable", ""),
    "cut PNG": (write(encoded("PNG")[:2000]), "unreadable", "damaged picture"),
    "cut JPEG": (write(encoded("JPEG")[:-900]), "unreadable", "damaged picture"),
    "cut GIF": (write(encoded("GIF")[:-900]), "unreadable", "damaged picture"),
    "cut BMP": (write(encoded("BMP")[:-900]), "unreadable", "damaged picture"),
    "cut TIFF": (write(encoded("TIFF")[:2000]), "unreadable", ""),
    "cut WEBP": (write(encoded("WEBP")[:-900]), "unreadable", ""),
    "PNG header": (write(encoded("PNG")[:20]), "unreadable", ""),
}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes, links and devices of Unix")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused(case: str, tmp_path: Path) -> None:
    make, reason, message = BAD[case]
    path = tmp_path / "a.png"
    make(path)
    for shape in (GREY, Picture(4, None, 3)):
        with pytest.raises(BadCellError) as caught:
            read_picture(str(path), shape)
        assert caught.value.reason == reason
        assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data:image/png;base64,AAA", "damaged base64"),
        ("data:image/png;base64,AA\tAA", "damaged base64"),
        ("data:image/png;base64,é", "damaged base64"),
        ("data:image/png,AAAA", "expected data:image/png;base64,"),
        ("data:text/html;base64,AAAA", "expected data:image/png;base64,"),
        ("data:image/png;base64,", "not a picture"),
        ("data:image/png;base64," + "A" * 1000, "not a picture"),
        ("", "no such file"),
        ("a\0b", "not the name of a file"),
        ("a" * 5000, "cannot be read: file name too long"),
    ],
)
def test_bad_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(BadCellError, match=message) as caught:
        read_picture(name, GREY)
    assert len(str(caught.value)) < 200 or not name.startswith("data:")


def test_a_line_that_would_become_too_wide_is_refused() -> None:
    thin = data_uri(np.zeros((1, 100_000, 1), np.uint8))
    with pytest.raises(BadCellError, match=rf"too|limit {MAX_PIXELS}") as caught:
        read_picture(thin, Picture(1000, None, 1))
    assert caught.value.reason == "too_large"


def test_a_float_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[np.nan, 1.0]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(BadCellError, match="finite"):
        read_picture(str(tmp_path / "a.tif"), GREY)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_damage_anywhere_is_read_or_refused(format: str) -> None:
    content, random = encoded(format), np.random.default_rng(1)
    for _ in range(100):
        damaged = bytearray(content)
        for place in random.integers(0, min(len(damaged), 400), 3):
            damaged[place] = random.integers(256)
        name = f"data:image/png;base64,{base64.b64encode(damaged).decode()}"
        try:
            assert read_picture(name, GREY).shape == (4, 6, 1)
        except BadCellError as error:
            assert error.reason in ("unreadable", "too_large")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_cut_file_never_becomes_another_picture(format: str) -> None:
    content, shape = encoded(format), Picture(60, 50, 3)
    whole = read_picture(f"data:image/png;base64,{base64.b64encode(content).decode()}", shape)
    refused = 0
    for end in range(0, len(content), 61):
        name = f"data:image/png;base64,{base64.b64encode(content[:end]).decode()}"
        try:
            assert np.array_equal(read_picture(name, shape), whole)
        except BadCellError as error:
            assert error.reason == "unreadable"
            refused += 1
    assert refused >= len(content) // 61 - 1  # what follows the pixels may be missing


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes, as Linux has them")
def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"\xe4.png")  # noqa: PTH118 - bytes
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(encode_png(noise(4, 6, 1)))
    assert np.array_equal(read_picture(os.fsdecode(path), GREY), noise(4, 6, 1))


def test_a_link_to_a_picture_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(noise(4, 6, 1)))
    (tmp_path / "b.png").symlink_to("a.png")
    assert np.array_equal(read_picture(str(tmp_path / "b.png"), GREY), noise(4, 6, 1))


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = data_uri(noise(4, 6, 1))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[vision\]'"):
        read_picture(uri, GREY)

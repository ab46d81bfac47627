"""Picture files: read as pixels of one shape, and written as PNG.

A picture is named by the path of a file or by a `data:image/png;base64,...` URI. Reading needs
Pillow (the extra `vision`); writing needs only the standard library.
"""

import base64
import contextlib
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from s2scli.data.codecs.cell import BadCellError, is_uri
from s2scli.data.codecs.content import content_of_uri, open_content
from s2scli.errors import MissingExtraError
from s2scli.sides import Picture

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]
Channels = Literal[1, 3]

MAX_PIXELS = 50_000_000
MAX_BYTES = 500_000_000
# No other formats: Pillow would run Ghostscript to read an EPS file.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
WHITE = (255, 255, 255, 255)
WIDE_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
GREY_MODES = WIDE_MODES | {"1", "L", "LA", "La"}
PNG_URI = "data:image/png;base64,"
SHOWN = 60
# Errors that Pillow's decoders raise on damaged files.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, AttributeError, EOFError, LookupError),
    *(ArithmeticError, RuntimeError, AssertionError, MemoryError, struct.error, zlib.error),
)


def read_picture(name: str, shape: Picture) -> Pixels:
    """Return the pixels of a picture, [H, W, C].

    Only the first frame of an animation is read. The EXIF orientation is applied, and transparent
    parts show white. 16-bit greys are divided by 257; floats from 0 to 1 are multiplied by 255,
    other floats are clipped to 0 to 255.

    A picture of the right size is not changed. Any other is resized in proportion, with a box
    filter: to the height of the shape or, if the shape has a width, to the largest size that fits.
    The remaining area is filled with the median colour of the border, half on each side.

    Args:
        name: a path, or a `data:image/...;base64,` URI.
        shape: the shape of the result.

    Raises:
        BadCellError: the file is missing, unreadable or too large.
        MissingExtraError: Pillow is not installed.
    """
    with _opened(name) as image:
        flat = _without_alpha(_eight_bits(_upright(image)))
        return _fitted(flat.convert("L" if shape.channels == 1 else "RGB"), shape, name)


def native_shape(name: str) -> Picture:
    """Return the shape of a picture before it is converted; a grey picture has 1 channel.

    Raises:
        BadCellError: see `read_picture`.
        MissingExtraError: see `read_picture`.
    """
    with _opened(name) as image:
        width, height = _upright(image).size
        return Picture(height, width, 1 if image.mode in GREY_MODES else 3)


def encode_png(pixels: Pixels) -> bytes:
    """Encode pixels [H, W, 1 or 3] as PNG; the same pixels always give the same bytes."""
    height, width, channels = pixels.shape
    colour_type = {1: 0, 3: 2}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    unfiltered = np.zeros((height, 1), np.uint8)  # the filter of each row: none
    rows = np.hstack([unfiltered, pixels.reshape(height, width * channels)])
    body = zlib.compress(rows.tobytes(), 9)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", body), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def data_uri(pixels: Pixels) -> str:
    """Return pixels [H, W, 1 or 3] as a `data:image/png;base64,` URI."""
    return PNG_URI + base64.b64encode(encode_png(pixels)).decode()


def pixels_of_uri(uri: str) -> Pixels:
    """Return the pixels of a data URI at their own size, [H, W, C].

    Raises:
        BadCellError: see `read_picture`.
        MissingExtraError: see `read_picture`.
    """
    return read_picture(uri, native_shape(uri))


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


@contextlib.contextmanager
def _opened(name: str) -> Iterator["Image.Image"]:
    """Open an image without decoding its pixels; errors in the block become `BadCellError`."""
    image_module = _require_pillow()
    with _file_of(name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata, and sizes, which are checked below
        try:
            with image_module.open(file, formats=FORMATS) as image:
                _check_size(name, *image.size)
                yield image
        except image_module.DecompressionBombError:
            _too_large(name, f"more than {MAX_PIXELS} pixels")
        except image_module.UnidentifiedImageError:
            formats = ", ".join(FORMATS)
            raise BadCellError(
                "unreadable", f"{_shown(name)}: not a picture (formats: {formats})"
            ) from None
        except DAMAGE as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BadCellError(
                "unreadable", f"{_shown(name)}: damaged picture ({reason:.100}); export it again"
            ) from error


def _require_pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("Pillow is not installed: pip install 's2scli[vision]'") from error
    return Image


def _file_of(name: str) -> BinaryIO:
    """Open a picture; the caller closes it. The size of a file is checked."""
    file = open_content(name, "image", _shown(name))
    if is_uri(name):
        return file
    size = os.fstat(file.fileno()).st_size
    if 0 < size <= MAX_BYTES:
        return file
    file.close()
    if not size:
        raise BadCellError("unreadable", f"{_shown(name)}: the file is empty")
    return _too_large(name, f"{size} bytes (limit {MAX_BYTES})")


def content_of_picture(uri: str) -> bytes:
    """Return the picture file that a data URI holds.

    Raises:
        BadCellError: the URI is damaged.
    """
    return content_of_uri(uri, "image", _shown(uri))


def _check_size(name: str, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise BadCellError("unreadable", f"{_shown(name)}: {width} x {height} pixels, no picture")
    if width * height > MAX_PIXELS:
        _too_large(name, f"{width} x {height} pixels (limit {MAX_PIXELS} in all)")


def _too_large(name: str, found: str) -> NoReturn:
    raise BadCellError("too_large", f"{_shown(name)}: {found}; make it smaller")


def _shown(name: str) -> str:
    """Return a name for messages; long data URIs are shortened."""
    return f"{name[:SHOWN]}..." if is_uri(name) and len(name) > SHOWN else name


def _upright(image: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """Return a picture of 16-bit or 32-bit values in 8 bits; any other is returned unchanged."""
    from PIL import Image

    if image.mode not in WIDE_MODES:
        return image
    stored: NDArray[Any] = np.asarray(image)
    values: NDArray[Any] = stored.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("some pixels are not finite numbers")
    if image.mode != "F":
        values = values / 257
    elif values.min() >= 0 and values.max() <= 1:
        values = values * 255
    grey = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    clear = image.info.get("transparency")  # the one level of a PNG file that is transparent
    if clear is not None:
        grey.putalpha(Image.fromarray(np.where(stored == clear, 0, 255).astype(np.uint8)))
    return grey


def _without_alpha(image: "Image.Image") -> "Image.Image":
    """Lay a picture with transparent parts on white."""
    from PIL import Image

    if image.mode not in ("LA", "La", "PA", "RGBA", "RGBa") and "transparency" not in image.info:
        return image
    if image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, WHITE), over).convert("RGB")


def _fitted(image: "Image.Image", shape: Picture, name: str) -> Pixels:
    """Resize a picture that has the right channels, and pad it to the shape."""
    from PIL import Image

    width, height = _fitted_size(image.width, image.height, shape)
    _check_size(name, width, height)  # a low and wide picture may become too wide
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BOX)
    pixels: Pixels = np.array(image, dtype=np.uint8).reshape(height, width, shape.channels)
    rows, columns = shape.height - height, (shape.width or width) - width
    if not rows and not columns:
        return pixels
    filled = np.empty((shape.height, width + columns, shape.channels), np.uint8)
    filled[:] = _border_colour(pixels)
    top, left = rows // 2, columns // 2
    filled[top : top + height, left : left + width] = pixels
    return filled


def _fitted_size(width: int, height: int, shape: Picture) -> tuple[int, int]:
    """Return the width and height to resize to; both are at least 1."""
    scale = shape.height / height
    if shape.width is not None:
        scale = min(scale, shape.width / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _border_colour(pixels: Pixels) -> Pixels:
    """Return the median of the border pixels for each channel, [C]."""
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    median = np.sort(np.concatenate(edges), axis=0)  # [edge, C]
    colour: Pixels = median[len(median) // 2]
    return colour

"""The codecs of pictures: pixels by column, cut to the left part, and tokens."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from s2scli.data.codecs import media_codec
from s2scli.data.codecs.cell import BadCellError, Stored
from s2scli.data.codecs.image import ImageCodec, PictureCodec, columns_of, pixels_of
from s2scli.data.codecs.picture_files import encode_png
from s2scli.sides import Picture
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.pictures import Bits


def pixels(height: int, width: int, channels: int = 1) -> NDArray[np.uint8]:
    shape = (height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_column_holds_its_pixels_from_top_to_bottom(channels: int) -> None:
    picture = pixels(5, 7, channels)
    columns = columns_of(picture)
    assert columns.shape == (7, 5 * channels) and columns.flags.c_contiguous
    for x in range(7):
        assert columns[x].tolist() == [int(v) for y in range(5) for v in picture[y, x]]
    shape = Picture(5, None, 3 if channels == 3 else 1)
    assert (pixels_of(columns, shape) == picture).all()


def test_a_relative_path_is_looked_up_in_the_folder(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    (tmp_path / "a.png").write_bytes(encode_png(pixels(6, 9)))
    found = media_codec(Picture(6, None, 1), tmp_path).encode("a.png")
    assert found.tolist() == columns_of(pixels(6, 9)).tolist()
    with pytest.raises(BadCellError, match="no such file"):
        ImageCodec(Picture(6, None, 1)).encode("a.png")


def test_a_size_is_the_number_of_patches_rounded_up() -> None:
    widths = np.array([1, 2, 4, 8, 9], np.int32)
    assert ImageCodec(Picture(8, None, 1)).sizes(widths).tolist() == [1, 1, 2, 4, 5]


def test_a_truncated_picture_is_its_left_part() -> None:
    codec, columns = ImageCodec(Picture(8, None, 1)), columns_of(pixels(8, 9))
    cell = codec.truncate(Stored("a.png", columns), 2)
    assert codec.encode(cell).tolist() == columns[:4].tolist() and cell == "a.png"


def test_labels_are_columns() -> None:
    codec = ImageCodec(Picture(8, None, 1))
    assert codec.labels(columns_of(pixels(8, 12)), 3) == ("x0", "x4", "x8")


def test_the_tokens_of_a_picture_file_give_its_picture(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    tokenizer = Bits(height=6, width=10)
    codec = PictureCodec(tokenizer)
    picture = (pixels(6, 10) > 127).astype(np.uint8) * 255
    (tmp_path / "a.png").write_bytes(encode_png(picture))
    ids = codec.encode(str(tmp_path / "a.png"))
    assert ids.tolist() == tokenizer.encode(picture)
    uri = codec.decode([*ids.tolist(), EOS_ID])
    assert uri.startswith("data:image/png;base64,")
    found = ImageCodec(tokenizer.picture).encode(uri)
    assert found.tolist() == columns_of(picture).tolist()

from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs.picture_files import encode_png
from s2scli.errors import MissingInputError
from s2scli.pipeline.inspect_pictures import tokenize_picture
from tests.pictures import BITS, picture


def test_a_picture_becomes_rows_of_tokens_and_a_picture_again(tmp_path: Path) -> None:
    pixels, path = picture("left"), tmp_path / "a.png"
    path.write_bytes(encode_png(pixels))
    found = tokenize_picture(BITS, str(path))
    assert list(found.ids) == BITS.encode(pixels)
    assert [piece for row in found.rows for piece in row] == [BITS.piece(id) for id in found.ids]
    assert len(found.rows) == 2
    assert np.array_equal(found.decoded, pixels)
    assert found.error == 0


def test_grey_that_becomes_black_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    path.write_bytes(encode_png(np.full((4, 8, 1), 51, np.uint8)))
    assert tokenize_picture(BITS, str(path)).error == pytest.approx(0.04)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(MissingInputError, match=r"a\.png"):
        tokenize_picture(BITS, str(tmp_path / "a.png"))

"""Where output pictures go."""

from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs.picture_files import data_uri, encode_png, pixels_of_uri
from s2scli.data.lines import STDIN
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.pipeline.pictures import (
    PictureFolder,
    digits_for,
    draw,
    require_folder,
    write_sheet,
)
from s2scli.report.console import Talk
from s2scli.report.picture import sheet
from tests.pictures import WORDS, picture

PICTURES = [picture(word) for word in WORDS]
URIS = [data_uri(pixels) for pixels in PICTURES]


def test_files_are_named_by_their_line(tmp_path: Path) -> None:
    files = PictureFolder(tmp_path / "new" / "out")
    files.add(0, URIS[:1])
    files.add(2, URIS[1:2])  # the line between has no picture
    assert sorted(path.name for path in files.folder.iterdir()) == ["0001.png", "0003.png"]
    assert (files.folder / "0003.png").read_bytes() == encode_png(PICTURES[1])
    assert files.written == 2


def test_several_pictures_of_a_line_have_a_second_number(tmp_path: Path) -> None:
    PictureFolder(tmp_path, digits=6, many=True).add(9, URIS)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["000010-1.png", "000010-2.png", "000010-3.png"]


def test_numbers_are_as_wide_as_the_count(tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    few.write_text("a\n" * 9)
    many.write_text("a\n" * 9_991)
    stream = StreamSettings()
    assert digits_for([few], stream) == digits_for([many], stream) == 4
    assert digits_for([few, many], stream) == 5
    assert digits_for([STDIN], stream) == 6


@pytest.mark.parametrize("name", ["taken", "new.png"])
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_text("text")
    with pytest.raises(UsageError, match="folder"):
        require_folder(tmp_path / name)
    require_folder(tmp_path)
    require_folder(tmp_path / "new")


def test_a_sheet_has_all_pictures(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").symlink_to(tmp_path / "new" / "file.png")
    (tmp_path / "new").mkdir()
    write_sheet(tmp_path / "sheet.png", URIS, 2)
    write_sheet(tmp_path / "newer" / "sheet.png", URIS, 2)
    for path in ("new/file.png", "newer/sheet.png"):
        assert np.array_equal(pixels_of_uri(str(tmp_path / path)), sheet(PICTURES, 2))


def test_pictures_are_drawn_side_by_side() -> None:
    drawing = draw(URIS, Talk()).splitlines()
    assert len(drawing) == 3  # 6 rows of pixels
    assert all(len(line) == 3 * 9 + 1 for line in drawing)
    assert len(draw(URIS[:1], Talk()).splitlines()) == 2

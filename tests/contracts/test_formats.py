"""Every text format: what is written is read again, and what is broken is named."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.cleaning import is_blank
from s2scli.data.example import Example
from s2scli.data.formats import LINE_FORMATS, TEXT_FORMATS, Cells, TextFormat
from s2scli.data.lines import TextFile
from s2scli.data.rows import BadLine, ReadRow, require_examples
from s2scli.errors import CorpusError

LIMIT = 1000
CELL = st.text(st.characters(exclude_characters="\0\t\r\n\ufeff", exclude_categories=["Cs"]))
FULL_CELL = CELL.filter(lambda cell: not is_blank(cell))  # a blank one may be read as empty
every_format = pytest.mark.parametrize("name", TEXT_FORMATS)


def write(format: TextFormat, pairs: Sequence[Cells]) -> list[bytes]:
    files = [io.BytesIO() for _ in range(format.files)]
    format.write(pairs, files)
    return [file.getvalue() for file in files]


def read(format: TextFormat, contents: Sequence[bytes]) -> list[ReadRow]:
    files = [
        TextFile(Path(f"file-{number}"), io.BytesIO(content))
        for number, content in enumerate(contents)
    ]
    return list(format.read(files, LIMIT))


def pairs_for(name: str, cells: Sequence[str]) -> list[Cells]:
    """Return pairs that a format can hold: in `sentences` both sides are the same."""
    return [(cell, cell if name == "sentences" else cell[::-1]) for cell in cells]


@every_format
@given(st.lists(FULL_CELL, min_size=1, max_size=5))
def test_what_is_written_is_read(name: str, cells: list[str]) -> None:
    pairs = pairs_for(name, cells)
    expected = [Example(*pair, number) for number, pair in enumerate(pairs, 1)]
    assert read(TEXT_FORMATS[name], write(TEXT_FORMATS[name], pairs)) == expected


@pytest.mark.parametrize("name", LINE_FORMATS)
@given(FULL_CELL)
def test_a_line_alone_is_read_as_in_a_file(name: str, cell: str) -> None:
    ((pair,), format) = pairs_for(name, [cell]), LINE_FORMATS[name]
    (content,) = write(format, [pair])
    line = content.decode().removesuffix("\n")
    assert format.pair(line) == pair
    assert format.source(line) == pair[0]


@every_format
@pytest.mark.parametrize(
    ("broken", "reason", "fault"),
    [
        (b"\xff", "not_utf8", r"byte \d+ \(0xFF\) is not UTF-8"),
        (b"\0", "nul_byte", r"byte \d+ is NUL"),
        (b"x" * (LIMIT + 1), "over_long", "longer than 1,000 bytes"),
    ],
)
def test_a_broken_line_is_named_and_the_others_are_read(
    name: str, broken: bytes, reason: str, fault: str
) -> None:
    pairs = pairs_for(name, ["first", "second", "third"])
    for file, content in enumerate(write(TEXT_FORMATS[name], pairs)):
        contents = write(TEXT_FORMATS[name], pairs)
        contents[file] = content.replace(b"second"[:: 1 - 2 * file], broken)
        rows = read(TEXT_FORMATS[name], contents)
        assert [rows[0], rows[2]] == [Example(*pairs[0], 1), Example(*pairs[2], 3)]
        assert isinstance(rows[1], BadLine)
        assert (rows[1].file, rows[1].line, rows[1].reason) == (f"file-{file}", 2, reason)
        with pytest.raises(CorpusError, match=f"^file-{file}, line 2: {fault}"):
            list(require_examples(rows))


@every_format
def test_an_empty_file_is_an_error(name: str) -> None:
    with pytest.raises(CorpusError, match="file-0: the file is empty"):
        read(TEXT_FORMATS[name], write(TEXT_FORMATS[name], []))


@every_format
@pytest.mark.parametrize("cell", ["a\nb", "a\r", "\0"])
def test_a_cell_that_would_be_read_otherwise_is_not_written(name: str, cell: str) -> None:
    with pytest.raises(CorpusError, match=r"cannot write '.*' in a cell"):
        write(TEXT_FORMATS[name], [(cell, cell)])

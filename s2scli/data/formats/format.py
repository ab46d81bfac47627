"""The protocols of corpus formats."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, ClassVar, Protocol, TypeAlias

from s2scli.data.cleaning import OVER_LONG
from s2scli.data.formats.fields import Fields
from s2scli.data.lines import TextFile
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError

Cells: TypeAlias = tuple[str, str]
"""A source cell and a target cell; the codec of each side interprets its cells."""


class Format(Protocol):
    """Reads the pairs of a corpus in one or more files.

    Its `repr` is a part of the digest of a shard, so that of a format with `by_line` is the same in
    every process.
    """

    files: ClassVar[int]
    """The number of files that make up a corpus."""

    by_line: ClassVar[bool]
    """Whether each line is a row, which depends on no row but the first one of the file."""

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield a row for every line, in order and in bounded memory.

        Cells are not changed. A blank cell is an empty side, not an error.

        Args:
            files: `self.files` open files, which must not have been read yet.
            limit: the maximum size of a line in bytes; a longer line is a bad line.

        Raises:
            CorpusError: a file is empty, is damaged or has another format.
        """
        ...


class FieldFormat(Format, Protocol):
    """A format with named fields."""

    def __init__(self, fields: Fields) -> None:
        """Create a format that reads these fields."""


class TextFormat(Format, Protocol):
    """A format of lines of text, which is also written."""

    def write(self, pairs: Iterable[Cells], files: Sequence[BinaryIO]) -> None:
        """Write pairs so that `read` returns the same pairs.

        Raises:
            CorpusError: a pair cannot be written in this format.
        """
        ...


class LineFormat(TextFormat, Protocol):
    """A single-file format whose lines can be read one at a time, for example from a stream."""

    def pair(self, line: str) -> Cells:
        """Split a line into source and target.

        Raises:
            BadLineError: the line is not a pair.
        """
        ...

    def source(self, line: str) -> str:
        """Return the source of a line without a target.

        Raises:
            BadLineError: the line is not a source.
        """
        ...


def over_long(file: TextFile, line: int, limit: int, unit: str = "line") -> BadLine:
    """Return the bad line for a line that exceeds the limit.

    Args:
        file: the file of the line.
        line: the line number, from 1.
        limit: the maximum size of a line in bytes.
        unit: what is counted: lines or rows.
    """
    return BadLine(file.name, line, OVER_LONG, f"longer than {limit:,} bytes", unit)


def encode_line(cells: Sequence[str], forbidden: str) -> bytes:
    r"""Return cells, separated by TABs, as a line of a text file.

    Args:
        cells: the cells of the line.
        forbidden: characters that a cell must not contain; NUL, CR and LF are always forbidden.

    Raises:
        CorpusError: a cell contains a forbidden character.
    """
    for cell in cells:
        if found := re.search(rf"[\0\r\n{forbidden}]", cell):
            raise CorpusError(f"cannot write {found.group()!r} in a cell: {cell[:80]!r}")
    return "\t".join(cells).encode() + b"\n"

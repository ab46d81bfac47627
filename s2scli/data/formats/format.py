"""The protocols of corpus formats."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, ClassVar, Protocol, TypeAlias

from s2scli.data.cleaning import OVER_LONG
from s2scli.data.lines import TextFile
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError

Cells: TypeAlias = tuple[str, str]
"""A source cell and a target cell; the codec of each side says what a cell means."""


class Format(Protocol):
    """How the pairs of a corpus are written in one file, or in several that belong together."""

    files: ClassVar[int]
    """How many files hold a corpus."""

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield a row for every line, in order, in bounded memory.

        Cells are returned as they are written; a blank cell is an empty side, not an error.

        Args:
            files: open files, `self.files` of them, not read yet.
            limit: the maximum size of a line in bytes; a longer one is a bad line.

        Raises:
            CorpusError: a file is empty, damaged or of another format.
        """
        ...

    def write(self, pairs: Iterable[Cells], files: Sequence[BinaryIO]) -> None:
        """Write pairs so that `read` gives them back.

        Raises:
            CorpusError: a pair cannot be written in this format.
        """
        ...


class LineFormat(Format, Protocol):
    """A format of one file whose lines can be read one at a time, as from a stream."""

    def pair(self, line: str) -> Cells:
        """Split a line into source and target.

        Raises:
            BadLineError: the line holds no pair.
        """
        ...

    def source(self, line: str) -> str:
        """Return the source of a line without a target.

        Raises:
            BadLineError: the line holds no source.
        """
        ...


def over_long(file: TextFile, line: int, limit: int) -> BadLine:
    """Return a line of more than `limit` bytes as a bad line."""
    return BadLine(file.name, line, OVER_LONG, f"longer than {limit:,} bytes")


def encode_line(cells: Sequence[str], forbidden: str) -> bytes:
    r"""Return cells, divided by TABs, as a line of a text file.

    Args:
        cells: the cells of the line.
        forbidden: characters that no cell may hold; NUL, CR and LF are always forbidden.

    Raises:
        CorpusError: a cell holds a forbidden character.
    """
    for cell in cells:
        if found := re.search(rf"[\0\r\n{forbidden}]", cell):
            raise CorpusError(f"cannot write {found.group()!r} in a cell: {cell[:80]!r}")
    return "\t".join(cells).encode() + b"\n"

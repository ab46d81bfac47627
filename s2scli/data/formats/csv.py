"""CSV: rows of cells, which can be quoted; the first row names the fields."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from s2scli.data.example import Example
from s2scli.data.formats.fields import MISSING, USUAL, Fields, text_of
from s2scli.data.formats.format import over_long
from s2scli.data.lines import BadLineError, TextFile
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError

DELIMITERS = ",;\t|"
LONGEST_CELL = 1 << 30  # `_Lines` has a limit of its own
PLAIN = re.compile(rb"""[^",;\t|]+""")
REPEATED = re.compile(rb"(x?[,;\t|])\1+")


@dataclass(frozen=True)
class Csv:
    """Cells as in RFC 4180, divided by commas, semicolons, TABs or bars, as in the first row.

    A quoted cell can have line breaks, so a row is not always a line. A row without cells is an
    empty pair.

    Attributes:
        fields: the fields to read.
    """

    fields: Fields = USUAL
    files: ClassVar[int] = 1
    by_line: ClassVar[bool] = False

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every row after the first one.

        Raises:
            CorpusError: as for `Format.read`; the first row is damaged, does not name the fields,
                or gives one of their names to several.
        """
        (file,) = files
        csv.field_size_limit(LONGEST_CELL)
        lines = _Lines(file, limit)
        names, delimiter = _names(lines)
        fields = self.fields.among(names, f"{file.name}, line 1")
        indices = [names.index(name) if name in names else len(names) for name in fields.read]
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        number = 0
        while True:
            number += 1
            lines.begin()
            try:
                cells = next(rows, None)
                if cells is None:
                    return
                if lines.is_over:
                    yield over_long(file, number, limit, "row")
                elif not cells:
                    yield Example("", "", number)
                else:
                    yield fields.example(_texts(cells, indices, fields, names, limit), number)
            except (csv.Error, BadLineError) as error:
                reason = error.reason if isinstance(error, BadLineError) else "quoting"
                fault = f"{error} (it begins in line {lines.first})"
                yield BadLine(file.name, number, reason, fault, "row")


class _Lines:
    """The lines of a file, as text; bytes that are not UTF-8 become lone surrogates.

    A row that is too long is read on, but shortened to what ends cells, so that the next row is
    found.

    Attributes:
        number: the number of the last line read.
        first: the number of the first line of the row.
        is_over: whether the row is longer than the limit.
    """

    def __init__(self, file: TextFile, limit: int) -> None:
        self.file = file
        self.number, self.first, self.is_over = 0, 1, False
        self._lines, self._limit, self._bytes = file.lines(limit, self._skip), limit, 0
        self._skipped = b""  # the line that is skipped, shortened

    def _skip(self, piece: bytes) -> None:
        self._skipped += _shortened(piece)

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            skipped, self._skipped = self._skipped, b""
            self._bytes += self._limit if line is None else len(line)
            within, self.is_over = not self.is_over, self._bytes >= self._limit
            if self.is_over:
                line = skipped if line is None else _shortened(line)
            if line is not None and (within or b'"' in line):
                yield f"{line.decode(errors='surrogateescape')}\n"

    def begin(self) -> None:
        """Begin a row."""
        self.first, self.is_over, self._bytes = self.number + 1, False, 0


def _shortened(piece: bytes) -> bytes:
    """Return a part of a line with a letter for each text, and without repeated cells."""
    return REPEATED.sub(rb"\1", PLAIN.sub(b"x", piece.rstrip(b"\r\n")))


def _names(lines: _Lines) -> tuple[list[str], str]:
    """Return the names of the fields, and the delimiter.

    Raises:
        CorpusError: the first row is damaged or not UTF-8.
    """
    start = next(iter(lines)).removesuffix("\n")
    delimiter = max(DELIMITERS, key=start.count)
    try:
        names = next(csv.reader([start], delimiter=delimiter, strict=True), [])
        names = [text_of(name.strip(), "a name", 1000) for name in names]
    except (csv.Error, BadLineError) as error:
        raise CorpusError(
            f"{lines.file.name}, line 1: {error}; expected the names of the fields"
        ) from error
    return names, delimiter


def _texts(
    cells: Sequence[str], indices: Sequence[int], fields: Fields, names: Sequence[str], limit: int
) -> list[str]:
    """Return the cells of the fields to read.

    Raises:
        BadLineError: there is no such field, the row has more or fewer cells than there are fields,
            or a cell is damaged.
    """
    for at, name in zip(indices, fields.read, strict=True):
        if at >= len(names):
            text_of(MISSING, name, limit, names)
    if len(cells) != len(names):
        raise BadLineError("columns", f"{len(cells)} cells, but there are {len(names)} fields")
    return [text_of(cells[at], name, limit) for at, name in zip(indices, fields.read, strict=True)]

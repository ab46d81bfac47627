"""Sentences: one per line, used as both source and target."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from s2scli.data.cleaning import is_blank
from s2scli.data.example import Example
from s2scli.data.formats.format import Cells, encode_line, over_long
from s2scli.data.lines import BadLineError, TextFile, decode_line
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError


@dataclass(frozen=True)
class Sentences:
    """A single column: each line is both source and target; a TAB is an error."""

    files: ClassVar[int] = 1
    by_line: ClassVar[bool] = True

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every line."""
        (file,) = files
        for number, line in enumerate(file.lines(limit), start=1):
            if line is None:
                yield over_long(file, number, limit)
                continue
            try:
                source, target = self.pair(decode_line(line))
            except BadLineError as error:
                yield BadLine(file.name, number, error.reason, str(error))
            else:
                yield Example(source, target, number)

    def pair(self, line: str) -> Cells:
        """Return the line as both source and target; only a blank line may contain TABs."""
        if "\t" in line and not is_blank(line):
            columns = line.count("\t") + 1
            raise BadLineError("columns", f"{columns} columns, expected one sentence")
        return line, line

    def source(self, line: str) -> str:
        """Return the whole line; a TAB is white space here."""
        return line

    def write(self, pairs: Iterable[Cells], files: Sequence[BinaryIO]) -> None:
        """Write one line for each pair; both sides must be the same."""
        (file,) = files
        for source, target in pairs:
            if source != target:
                raise CorpusError(
                    "cannot write a pair with different source and target as one sentence: "
                    f"{source[:80]!r}, {target[:80]!r}"
                )
            file.write(encode_line([source], forbidden="\t"))

"""Sentences: one on each line, which is both source and target."""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, ClassVar

from s2scli.data.cleaning import is_blank
from s2scli.data.example import Example
from s2scli.data.formats.format import Cells, encode_line, over_long
from s2scli.data.lines import BadLineError, TextFile, decode_line
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError


class Sentences:
    """One column: a line is its own source and target, and a TAB in it is an error."""

    files: ClassVar[int] = 1

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
        """Return the line as source and target; a blank line may hold TABs."""
        if "\t" in line and not is_blank(line):
            columns = line.count("\t") + 1
            raise BadLineError("columns", f"{columns} columns, expected one: a sentence alone")
        return line, line

    def source(self, line: str) -> str:
        """Return the whole line; here a TAB is white space."""
        return line

    def write(self, pairs: Iterable[Cells], files: Sequence[BinaryIO]) -> None:
        """Write one line for each pair; both sides must be the same."""
        (file,) = files
        for source, target in pairs:
            if source != target:
                raise CorpusError(
                    f"cannot write two texts as one sentence: {source[:80]!r}, {target[:80]!r}"
                )
            file.write(encode_line([source], forbidden="\t"))

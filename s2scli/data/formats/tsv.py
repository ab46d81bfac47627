"""TSV: source TAB target on each line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from s2scli.data.cleaning import is_blank
from s2scli.data.example import Example
from s2scli.data.formats.foreign import refuse_foreign
from s2scli.data.formats.format import Cells, encode_line, over_long
from s2scli.data.lines import BadLineError, TextFile, decode_line
from s2scli.data.rows import BadLine, Notice, ReadRow

FIRST_TWO = 1, 2


@dataclass(frozen=True)
class Tsv:
    """Columns divided by TABs; there is no quoting.

    A file has the number of columns of its first row, two or more. A line on its own has two. A
    blank line is an empty pair.

    Attributes:
        columns: the columns of the source and of the target in a file, the first is 1; None is the
            first two, with a notice where there are more.
    """

    columns: tuple[int, int] | None = None
    files: ClassVar[int] = 1

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every line.

        Raises:
            CorpusError: as `Format.read`; a file of another program can be converted as it says.
        """
        (file,) = files
        refuse_foreign(file)
        source, target = self.columns or FIRST_TWO
        columns = first = 0
        for number, line in enumerate(file.lines(limit), start=1):
            if line is None:
                yield over_long(file, number, limit)
                continue
            try:
                text = decode_line(line)
                cells = text.split("\t")
                if len(cells) != columns or not cells[0]:
                    if is_blank(text):
                        yield Example("", "", number)
                        continue
                    _check_columns(len(cells), columns, first, max(source, target))
                    if not columns:
                        columns, first = len(cells), number
                        if columns > 2 and not self.columns:
                            yield Notice(
                                f"{file.short_name} has {columns} columns; the first 2 are used; "
                                "choose others as in --columns 2,3"
                            )
            except BadLineError as error:
                yield BadLine(file.name, number, error.reason, str(error))
            else:
                yield Example(cells[source - 1], cells[target - 1], number)

    def pair(self, line: str) -> Cells:
        """Split a line of two columns; a blank one is returned as both."""
        if is_blank(line):
            return line, line
        cells = line.split("\t")
        if len(cells) == 1:
            raise BadLineError(
                "columns",
                "no TAB, expected source TAB target; of two files: paste SOURCES TARGETS; "
                "--one-column is for sentences that are their own targets",
            )
        if len(cells) > 2:
            fault = f"{len(cells)} columns, expected source TAB target; choose two: cut -f 1,2"
            raise BadLineError("columns", fault)
        return cells[0], cells[1]

    def source(self, line: str) -> str:
        """Return the first column."""
        return line.partition("\t")[0]

    def write(self, pairs: Iterable[Cells], files: Sequence[BinaryIO]) -> None:
        """Write two columns."""
        (file,) = files
        file.writelines(encode_line(pair, forbidden="\t") for pair in pairs)


def _check_columns(found: int, expected: int, first: int, last: int) -> None:
    """Compare a row's number of columns with that of line `first`; `expected` 0 is the first.

    `last` is the last column that is used.
    """
    if found == 1:
        hint = "" if expected else "; --one-column is for sentences that are their own targets"
        raise BadLineError("columns", f"no TAB, expected source TAB target{hint}")
    if expected and found != expected:
        raise BadLineError("columns", f"{found} columns, but line {first} has {expected}")
    if found < last:
        raise BadLineError("columns", f"{found} columns, but --columns asks for column {last}")

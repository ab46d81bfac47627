"""TSV: each line is a source, a TAB and a target."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from s2scli.data.cleaning import is_blank
from s2scli.data.example import Example
from s2scli.data.formats.fields import require_tag
from s2scli.data.formats.foreign import refuse_foreign
from s2scli.data.formats.format import Cells, encode_line, over_long
from s2scli.data.lines import BadLineError, TextFile, decode_line
from s2scli.data.rows import BadLine, Notice, ReadRow

FIRST_TWO = 1, 2
FIRST_TWO_BESIDE = {1: (2, 3), 2: (1, 3)}  # the column of the tag


@dataclass(frozen=True)
class Tsv:
    """Columns separated by TABs, without quoting.

    All rows of a file have as many columns as its first row, at least two. A line read with `pair`
    has exactly two. A blank line is an empty pair.

    Attributes:
        columns: the columns of source and target in a file, counted from 1; None uses the first
            two beside the tag, with a notice if there are more.
        tag_column: the column of the tag in a file, counted from 1; None reads no tag.
    """

    columns: tuple[int, int] | None = None
    tag_column: int | None = None
    files: ClassVar[int] = 1
    by_line: ClassVar[bool] = True

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every line.

        Raises:
            CorpusError: as for `Format.read`; for a foreign format, it says how to convert the
                file.
        """
        (file,) = files
        refuse_foreign(file)
        tag = self.tag_column or 0
        source, target = self.columns or FIRST_TWO_BESIDE.get(tag, FIRST_TWO)
        sides = "--columns asks for" if self.columns else "the sides beside the tag need"
        last, asks = max((source, sides), (target, sides), (tag, "--tag-column asks for"))
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
                    _check_columns(len(cells), columns, first, last, asks)
                    if not columns:
                        columns, first = len(cells), number
                        if columns > 2 + bool(tag) and not self.columns:
                            which = f"{source} and {target}" if tag else "the first two"
                            yield Notice(
                                f"{file.short_name} has {columns} columns, of which {which} are "
                                "used; to choose others, use for example --columns 2,3"
                            )
                name = require_tag(cells[tag - 1]) if tag else ""
            except BadLineError as error:
                yield BadLine(file.name, number, error.reason, str(error))
            else:
                yield Example(cells[source - 1], cells[target - 1], number, tag=name)

    def pair(self, line: str) -> Cells:
        """Split a line into source and target; a blank line is returned as both."""
        if is_blank(line):
            return line, line
        cells = line.split("\t")
        if len(cells) == 1:
            raise BadLineError(
                "columns",
                "no TAB, expected source TAB target; to join two files: paste SOURCES TARGETS; "
                "for sentences that are both source and target: --one-column",
            )
        if len(cells) > 2:
            fault = f"{len(cells)} columns, expected source TAB target; select two: cut -f 1,2"
            raise BadLineError("columns", fault)
        return cells[0], cells[1]

    def source(self, line: str) -> str:
        """Return the first column of the line."""
        return line.partition("\t")[0]

    def write(self, pairs: Iterable[Cells], files: Sequence[BinaryIO]) -> None:
        """Write each pair as a line of two columns."""
        (file,) = files
        file.writelines(encode_line(pair, forbidden="\t") for pair in pairs)


def _check_columns(found: int, expected: int, first: int, last: int, asks: str) -> None:
    """Check the number of columns of a row.

    Args:
        found: the number of columns of the row.
        expected: the number of columns of the first row; 0 if this is the first row.
        first: the line number of the first row.
        last: the highest column number that is used.
        asks: what asks for it, in words.

    Raises:
        BadLineError: the number of columns is wrong.
    """
    if found == 1:
        hint = "" if expected else "; for sentences that are both source and target: --one-column"
        raise BadLineError("columns", f"no TAB, expected source TAB target{hint}")
    if expected and found != expected:
        raise BadLineError("columns", f"{found} columns, but line {first} has {expected}")
    if found < last:
        raise BadLineError("columns", f"{found} columns, but {asks} column {last}")

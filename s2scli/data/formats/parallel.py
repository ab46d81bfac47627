"""Parallel files: line k of one file is the source, line k of the other file is its target."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from s2scli.data.example import Example
from s2scli.data.formats.format import Cells, encode_line, over_long
from s2scli.data.lines import BadLineError, TextFile, decode_line
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError

NO_LINE = b"\n"  # cannot be a line, as lines are read without their line ends


@dataclass(frozen=True)
class Parallel:
    """A source file and a target file with the same number of lines; a TAB is ordinary text."""

    files: ClassVar[int] = 2
    by_line: ClassVar[bool] = True

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for each pair of lines.

        Raises:
            CorpusError: as for `Format.read`, or the files have different numbers of lines.
        """
        sources, targets = (file.lines(limit) for file in files)
        pairs = itertools.zip_longest(sources, targets, fillvalue=NO_LINE)
        for number, (source, target) in enumerate(pairs, start=1):
            if source == NO_LINE or target == NO_LINE:
                source_count = number - (source == NO_LINE) + sum(1 for _ in sources)
                target_count = number - (target == NO_LINE) + sum(1 for _ in targets)
                raise unequal(files, source_count, target_count)
            file = files[0]
            if source is None or target is None:
                yield over_long(files[source is not None], number, limit)
                continue
            try:
                source_text = decode_line(source)
                file = files[1]
                yield Example(source_text, decode_line(target), number)
            except BadLineError as error:
                yield BadLine(file.name, number, error.reason, str(error))

    def write(self, pairs: Iterable[Cells], files: Sequence[BinaryIO]) -> None:
        """Write the sources to one file and the targets to the other."""
        for pair in pairs:
            for cell, file in zip(pair, files, strict=True):
                file.write(encode_line([cell], forbidden=""))


def unequal(files: Sequence[TextFile], source_count: int, target_count: int) -> CorpusError:
    """Return the error for files with different numbers of lines."""
    return CorpusError(
        f"{files[0].name} has {source_count:,} lines but {files[1].name} has {target_count:,}; "
        "line k of one must belong to line k of the other"
    )

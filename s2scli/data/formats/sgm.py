"""SGM, the XML of Moses and of WMT test sets: a file of source segments, and one of references."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from s2scli.data.cleaning import OVER_LONG
from s2scli.data.cleaning.entities import unescaped
from s2scli.data.example import Example
from s2scli.data.formats.fields import text_of
from s2scli.data.lines import BadLineError, TextFile
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError

START = re.compile(rb"<seg\b([^<>]*)>", re.IGNORECASE)
END = re.compile(rb"</seg\s*>", re.IGNORECASE)
ID = re.compile(rb"""\bid\s*=\s*["']?([^"'\s>]*)""", re.IGNORECASE)


@dataclass(frozen=True)
class _Segment:
    """A segment: its id, and its text or the reason why it has none."""

    id: bytes
    text: bytes | None


class Sgm:
    """Segment k of one file is the source, segment k of the other file is its target.

    The files need not be well-formed XML: only `<seg id="...">` and `</seg>` are read, and
    character references such as `&amp;`.
    """

    files: ClassVar[int] = 2
    by_line: ClassVar[bool] = False

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for each pair of segments.

        Raises:
            CorpusError: as for `Format.read`; the files have different numbers of segments, or
                other ids.
        """
        sources, targets = (_segments(file, limit) for file in files)
        number = 0
        for number, pair in enumerate(itertools.zip_longest(sources, targets), start=1):
            self._check(pair, files, number)
            file = files[0]
            try:
                source = _text(pair[0], limit)
                file = files[1]
                example = Example(source, _text(pair[1], limit), number)
            except BadLineError as error:
                yield BadLine(file.name, number, error.reason, str(error), "segment")
            else:
                yield example
        if not number:
            raise CorpusError(f'{files[0].name}: no segments (<seg id="1">) found')

    def _check(
        self, pair: Sequence[_Segment | None], files: Sequence[TextFile], number: int
    ) -> None:
        """Check that two segments belong together."""
        for segment, file in zip(pair, files, strict=True):
            if segment is None:
                raise CorpusError(
                    f"{file.name} has {number - 1:,} segments, and the other file has more; "
                    "segment k of one must belong to segment k of the other"
                )
        source, target = (segment.id for segment in pair if segment)
        if source != target:
            shown = [one.decode(errors="replace")[:40] for one in (source, target)]
            raise CorpusError(
                f"segment {number} has the id {shown[0]!r} in {files[0].name} and {shown[1]!r} in "
                f"{files[1].name}; they must have the same segments in the same order"
            )


def _text(segment: _Segment | None, limit: int) -> str:
    """Return the text of a segment.

    Raises:
        BadLineError: it is not UTF-8, has NUL or is too long.
    """
    if segment is None or segment.text is None:
        raise BadLineError(OVER_LONG, f"longer than {limit:,} bytes")
    return text_of(unescaped(text_of(segment.text, "segment", limit)), "segment", limit).strip()


def _segments(file: TextFile, limit: int) -> Iterator[_Segment]:
    """Yield the segments of a file; one that does not end has no text."""
    id, size = b"", -1  # a size below 0: outside of a segment
    parts: list[bytes] = []
    for number, line in enumerate(file.lines(limit), start=1):
        if line is None and size < 0:
            raise CorpusError(
                f"{file.name}, line {number}: longer than {limit:,} bytes; put each segment on a "
                "line of its own"
            )
        at, length = 0, limit if line is None else len(line)
        line = line or b""
        while True:
            if size < 0:
                start = START.search(line, at)
                if start is None:
                    break
                found = ID.search(start[1])
                id, parts, size, at = found[1] if found else b"", [], 0, start.end()
            end = END.search(line, at)
            size += (end.start() if end else max(length, at)) - at
            if size <= limit:
                parts.append(line[at : end.start() if end else len(line)])
            if end is None:
                break
            yield _Segment(id, b" ".join(parts) if size <= limit else None)
            at, size = end.end(), -1
    if size >= 0:
        raise CorpusError(f"{file.name}: the last segment does not end; expected </seg>")

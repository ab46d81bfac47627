"""Divides files into pieces of whole lines, which any process can read, in any order.

Where a piece ends depends on the text alone: at the first line end after so many bytes. So a
compressed file has the same pieces as its text.
"""

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import numpy as np

from s2scli.data.formats.parallel import unequal
from s2scli.data.lines import UTF8_BOM, TextFile
from s2scli.errors import CorpusError, MissingInputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE_BYTES = 8 << 20
BLOCK_BYTES = 1 << 20

Cut: TypeAlias = Callable[[bytes, int, int], int]
"""Gets a block of a piece, and the bytes and line ends of the piece before it. Returns the index
after the last byte of the piece; 0 if it goes on."""


@dataclass(frozen=True)
class Piece:
    """Some consecutive lines of a file.

    Attributes:
        name: the name of the file for messages.
        path: the file.
        number: the index of the piece in the file, from 0.
        lines: the number of its lines.
        head: the first lines of the file, which are read before those of the piece.
        sha256: the SHA-256 of the head and the lines.
        span: the first byte of the lines in the file, and that after the last; None if the file
            is compressed, or a stream.
        content: the lines; empty if there is a span.
    """

    name: str
    path: Path
    number: int
    lines: int
    head: bytes
    sha256: str
    span: tuple[int, int] | None = None
    content: bytes = b""

    @contextlib.contextmanager
    def open(self) -> Iterator[TextFile]:
        """Open the piece as a file; its lines follow those of the head.

        Raises:
            MissingInputError: the file cannot be opened.
        """
        if self.span is None:
            yield self._text(io.BytesIO(self.head + self.content))
            return
        try:
            raw = self.path.open("rb", buffering=0)
        except OSError as error:
            raise MissingInputError(f"{self.path}: cannot be read: {error.strerror}") from error
        with raw:
            yield self._text(_Span(self.head, raw, *self.span))

    def require_unchanged(self, text: TextFile) -> None:
        """Check that the lines, which were all read, are those that the piece was made of.

        Raises:
            CorpusError: the file has changed.
        """
        if text.sha256 != self.sha256:
            raise CorpusError(f"{self.name}: has changed since it was opened; try again")

    def _text(self, raw: io.IOBase) -> TextFile:
        text = TextFile(self.path, cast(BinaryIO, raw), piece=self.number)
        text.name = self.name
        return text


class _Span(io.RawIOBase):
    """Reads some bytes, and then a span of a file."""

    def __init__(self, head: bytes, file: io.FileIO, start: int, end: int) -> None:
        self._head, self._file, self._left = io.BytesIO(head), file, end - start
        file.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        count = self._head.readinto(view)
        if not count:
            count = self._file.readinto(view[: self._left]) or 0
            self._left -= count
        return count


class PieceReader:
    """Reads the pieces of a file one after the other.

    Args:
        file: the file, which must not have been read yet.
        limit: the number of bytes from which a line is too long; the rest of such a line is not
            held in memory.
    """

    def __init__(self, file: TextFile, limit: int) -> None:
        self._file, self._limit = file, limit
        self._blocks, self._rest = file.blocks(BLOCK_BYTES), b""
        self._at = self._number = 0

    def of_size(self, size: int, head: bytes = b"") -> Piece | None:
        """Return the lines up to the first line end after `size` bytes; None at the end."""

        def cut(block: bytes, before: int, lines: int) -> int:
            return block.find(b"\n", max(0, size - 1 - before)) + 1

        return self._take(cut, head, size + self._limit)

    def of_lines(self, count: int, head: bytes = b"") -> Piece | None:
        """Return the next lines, as many as there are up to `count`; None at the end."""
        count = max(1, count)

        def cut(block: bytes, before: int, lines: int) -> int:
            if lines + block.count(b"\n") < count:
                return 0
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            return int(ends[count - lines - 1]) + 1

        return self._take(cut, head, None)

    def count_rest(self) -> int:
        """Read to the end, and return the number of lines that were left."""
        rest = self.of_size(1 << 62)
        return rest.lines if rest else 0

    def _take(self, cut: Cut, head: bytes, most: int | None) -> Piece | None:
        """Return the next piece. The first one may be empty.

        Args:
            cut: finds the end of the piece.
            head: the first lines of the file.
            most: the number of bytes to hold at most; what is beyond is the rest of a line that
                is too long. None holds the beginning of each such line.
        """
        start, lines, last = self._at, 0, b""
        hashed, held = hashlib.sha256(head), bytearray()
        spans = self._file.has_spans
        while block := self._rest or next(self._blocks, b""):
            end = cut(block, self._at - start, lines)
            part, self._rest = (block[:end], block[end:]) if end else (block, b"")
            lines, last = lines + part.count(b"\n"), part[-1:]
            self._at += len(part)
            if spans:
                hashed.update(part)
            elif most is None:
                held += self._trimmed(part, held)
            else:
                held += part[: max(0, most - len(held))]
            if end:
                break
        if self._at == start and self._number:
            return None
        if held and last == b"\n" and not held.endswith(b"\n"):
            held += b"\n"  # ends the line that was cut
        hashed.update(held)
        self._number += 1
        return Piece(
            self._file.name,
            self._file.path.absolute() if spans else self._file.path,
            self._number - 1,
            lines + (last not in (b"", b"\n")),
            head,
            hashed.hexdigest(),
            (start, self._at) if spans else None,
            bytes(held),
        )

    def _trimmed(self, part: bytes, held: bytearray) -> bytes:
        """Return a block without the rest of a line that began before and is too long."""
        room = self._limit + len(UTF8_BOM) - (len(held) - held.rfind(b"\n") - 1)
        end = part.find(b"\n") if b"\n" in part else len(part)
        return part if end <= room else part[: max(0, room)] + part[end:]


class Dealer:
    """Deals out the pieces of a file, or of two parallel files.

    Args:
        files: the files, which must not have been read yet.
        limit: see `PieceReader`.
    """

    def __init__(self, files: Sequence[TextFile], limit: int) -> None:
        self._files = files
        self._readers = [PieceReader(file, limit) for file in files]
        self._lines = 0

    def deal(self, heads: Sequence[bytes] = ()) -> tuple[Piece, ...] | None:
        """Return the next piece of each file, with the same number of lines; None at the end.

        The pieces are nearly equal in bytes. The first ones may be empty.

        Args:
            heads: the first lines of each file, for all pieces but the first.

        Raises:
            CorpusError: the files have different numbers of lines, or a file is damaged.
        """
        first, *others = self._readers
        head, *other_heads = heads or [b""] * len(self._readers)
        piece = first.of_size(PIECE_BYTES, head)
        if piece is None:
            if more := sum(other.count_rest() for other in others):
                raise unequal(self._files, self._lines, self._lines + more)
            return None
        pieces = [piece]
        for other, other_head in zip(others, other_heads, strict=True):
            found = other.of_lines(piece.lines, other_head)
            count = found.lines if found else 0
            if found is None or (count < piece.lines and (count or piece.number)):
                totals = self._lines + piece.lines + first.count_rest(), self._lines + count
                raise unequal(self._files, *totals)
            pieces.append(found)
        self._lines += piece.lines
        return tuple(pieces)

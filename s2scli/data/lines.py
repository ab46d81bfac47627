"""Lines of a text file as bytes: plain or gzip, from a path or stdin, in bounded memory."""

import contextlib
import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from s2scli.errors import CorpusError, MissingInputError

STDIN = Path("-")
GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
# the first two bytes of UTF-32 may be those of UTF-16
BOMS = {
    **{b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32"},
    **{b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"},
}
BUFFER_BYTES = 1 << 17
MIN_LINE_LIMIT = 1 << 20


class BadLineError(Exception):
    """A line that cannot be read: `reason` is what it is counted under, the message the fault."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TextFile:
    """An input file, open, that is read once from beginning to end.

    Attributes:
        path: its path; `-` is stdin.
        name: its name in messages.
        short_name: its name without folders, which may be kept on disk.
    """

    def __init__(self, path: Path, raw: BinaryIO) -> None:
        self.path = path
        self.name = "stdin" if path == STDIN else str(path)
        self.short_name = os.fsencode(path.name).decode(errors="replace")
        self._hashed = _HashedReader(raw)
        self._stream = self._uncompressed(_buffered(self._hashed))

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes read so far: of the whole file once its lines are read."""
        return self._hashed.sha256.hexdigest()

    def first_lines(self) -> list[bytes]:
        """Return the first lines that are not blank, without consuming them.

        They are those of the first bytes of the file; the last one may be cut.

        Raises:
            CorpusError: the file is damaged.
        """
        with self._damage_reported():
            start = self._stream.peek(BUFFER_BYTES).removeprefix(UTF8_BOM)
        return [line for line in start.replace(b"\r\n", b"\n").split(b"\n") if line.strip(b"\r ")]

    def lines(self, limit: int) -> Iterator[bytes | None]:
        r"""Yield each line without its line end; None for one of more than `limit` bytes.

        Only `\n` ends a line; one `\r` before it and a byte order mark at the start of the file
        are not part of a line.

        Raises:
            CorpusError: the file is empty, damaged, UTF-16, or has old Mac line ends.
        """
        readline = self._stream.readline
        with self._damage_reported():
            if self._stream.peek(len(UTF8_BOM)).startswith(UTF8_BOM):
                self._stream.read(len(UTF8_BOM))
            line = readline(limit)
            self._check_start(line)
            while line:
                if line.endswith(b"\n"):
                    yield line[:-2] if line.endswith(b"\r\n") else line[:-1]
                elif len(line) < limit:
                    yield line.removesuffix(b"\r")
                else:
                    self._skip_line(limit)
                    yield None
                line = readline(limit)

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield bytes as they come, at most `size` at a time, without waiting for more.

        Raises:
            CorpusError: the file is damaged.
        """
        with self._damage_reported():
            while block := self._stream.read1(size):
                yield block

    def _check_start(self, line: bytes) -> None:
        if not line:
            raise CorpusError(f"{self.name}: empty, there are no rows in it")
        found = next((name for bom, name in BOMS.items() if line.startswith(bom)), None)
        if found:
            raise CorpusError(
                f"{self.name}: looks like {found}, expected UTF-8; convert it: "
                f"iconv -f {found.lower()} -t utf-8 FILE > NEW"
            )
        if not line.endswith(b"\n") and b"\r" in line.removesuffix(b"\r"):
            raise CorpusError(
                f"{self.name}, line 1: old Mac line ends (CR and no LF make the file one line); "
                "convert it: tr '\\r' '\\n' < FILE > NEW"
            )

    def _skip_line(self, limit: int) -> None:
        while (piece := self._stream.readline(limit)) and not piece.endswith(b"\n"):
            pass

    def _uncompressed(self, buffered: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
        if buffered.peek(2).startswith(GZIP_MAGIC):
            return gzip.GzipFile(fileobj=buffered, mode="rb")
        if self.path.suffix == ".gz" and buffered.peek(1):
            raise CorpusError(f"{self.name}: not a gzip file, though its name ends in .gz")
        return buffered

    @contextlib.contextmanager
    def _damage_reported(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            reason = str(error).rstrip(".").lower()
            raise CorpusError(f"{self.name}: damaged gzip file ({reason})") from error
        except OSError as error:
            raise CorpusError(f"{self.name}: cannot be read: {error.strerror}") from error


class _HashedReader(io.RawIOBase):
    """Passes bytes on and hashes them on the way."""

    def __init__(self, raw: BinaryIO) -> None:
        self._read = getattr(raw, "read1", raw.read)  # available bytes, without waiting
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece: bytes = self._read(len(buffer))
        buffer[: len(piece)] = piece
        self.sha256.update(piece)
        return len(piece)


def _buffered(raw: _HashedReader) -> io.BufferedReader:
    return io.BufferedReader(cast(io.RawIOBase, raw), BUFFER_BYTES)


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextFile]:
    """Open a text file, or stdin for `-`, and close it at the end.

    Raises:
        MissingInputError: there is no such file, or it may not be read.
        CorpusError: it is a directory, or not gzip though its name says so.
    """
    if path == STDIN:
        # unbuffered: bytes are available at once, and a thread that waits for them holds no lock
        yield TextFile(path, getattr(sys.stdin.buffer, "raw", sys.stdin.buffer))
        return
    try:
        file = path.open("rb", buffering=0)
    except IsADirectoryError as error:
        raise CorpusError(f"{path}: is a directory, expected a file") from error
    except FileNotFoundError as error:
        raise MissingInputError(f"{path}: no such file") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MissingInputError(f"{path}: cannot be read: {reason}") from error
    with file:
        yield TextFile(path, cast(BinaryIO, file))


def has_columns(lines: Sequence[bytes]) -> bool:
    """Whether most of these lines hold a TAB."""
    return 2 * sum(b"\t" in line for line in lines) > len(lines)


def decode_line(line: bytes) -> str:
    """Return the text of a line.

    Raises:
        BadLineError: it is not UTF-8, or holds a NUL byte.
    """
    nul = line.find(b"\0")
    if nul >= 0:
        raise BadLineError("nul_byte", f"byte {nul + 1} is NUL; is this a text file in UTF-8?")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BadLineError(
            "not_utf8",
            f"byte {error.start + 1} (0x{line[error.start]:02X}) is not UTF-8; if the file is "
            "Latin-1, convert it: iconv -f latin1 -t utf-8 FILE > NEW",
        ) from error


def line_limit(max_length: int) -> int:
    """Return the maximum size of a line in bytes: two sides of `max_length` characters fit."""
    return max(MIN_LINE_LIMIT, 2 * 4 * max_length + 1024)

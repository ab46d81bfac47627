"""Reads the lines of a plain or compressed file, or of stdin, as bytes, in bounded memory."""

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from s2scli.errors import CorpusError, MissingInputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN = Path("-")
GZIP, BZIP2, XZ, ZSTD = "gzip", "bzip2", "xz", "zstd"
MAGIC = {
    GZIP: re.compile(rb"\x1f\x8b"),
    BZIP2: re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    XZ: re.compile(rb"\xfd7zXZ\0"),
    ZSTD: re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),  # or a frame to skip
}
COMPRESSED = {".gz": GZIP, ".bz2": BZIP2, ".xz": XZ, ".zst": ZSTD}
UTF8_BOM = b"\xef\xbb\xbf"
# UTF-32 comes first: its byte order mark can begin with that of UTF-16
BOMS = {
    **{b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32"},
    **{b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"},
}
BUFFER_BYTES = 1 << 17
MIN_LINE_LIMIT = 1 << 20

Stream: TypeAlias = io.BufferedReader | gzip.GzipFile
Decompressor: TypeAlias = bz2.BZ2Decompressor | lzma.LZMADecompressor


class BadLineError(Exception):
    """A line that cannot be read.

    Attributes:
        reason: the reason under which the line is counted if it is dropped.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TextFile:
    """An open input file, which is read once from start to end.

    Attributes:
        path: the path; `-` is stdin.
        name: the name for messages.
        short_name: the name without folders, which can be stored in reports.
        continued: whether it is a later piece of a file, whose start was checked before.
    """

    def __init__(self, path: Path, raw: BinaryIO, *, piece: int | None = None) -> None:
        """Begin to read.

        Args:
            path: the path of the file.
            raw: the bytes of the file, or of a piece of it, uncompressed.
            piece: the number of the piece, from 0; None is the whole file.

        Raises:
            CorpusError: the file is not compressed as its name says.
        """
        self.path = path
        self.continued = bool(piece)
        self.name = "stdin" if path == STDIN else str(path)
        self.short_name = os.fsencode(path.name).decode(errors="replace")
        self._hashed = _HashedReader(raw)
        self._compression = ""
        buffered = _buffered(self._hashed)
        self._stream = self._uncompressed(buffered) if piece is None else buffered

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes read so far; of the whole file after all lines are read."""
        return self._hashed.sha256.hexdigest()

    @property
    def ending(self) -> str:
        """The ending of the name in lower case, without that of a compressed file: .tsv."""
        return PurePath(without_compression(self.path.name)).suffix.lower()

    @property
    def plain_path(self) -> Path:
        """The path, for a reader that jumps to and fro in the file.

        Raises:
            CorpusError: it is stdin, or compressed.
        """
        if self.path == STDIN:
            raise CorpusError("stdin: this format cannot be read from a stream; give the file")
        if self._compression:
            raise CorpusError(f"{self.name}: compressed with {self._compression}; unpack it first")
        return self.path

    @property
    def has_spans(self) -> bool:
        """Whether other processes can read spans of it: it is a file on disk, uncompressed."""
        return self.path != STDIN and not self._compression and self.path.is_file()

    def first_lines(self) -> list[bytes]:
        """Return the non-blank lines at the start of the file, without consuming them.

        They come from the first block of bytes, so the last line may be cut.

        Raises:
            CorpusError: the file is damaged.
        """
        with self._damage_reported():
            start = self._stream.peek(BUFFER_BYTES).removeprefix(UTF8_BOM)
        return [line for line in start.replace(b"\r\n", b"\n").split(b"\n") if line.strip(b"\r ")]

    def lines(
        self, limit: int, skipped: Callable[[bytes], object] = lambda piece: None
    ) -> Iterator[bytes | None]:
        r"""Yield each line without its line end, or None for a line of `limit` bytes or more.

        Only `\n` ends a line. One `\r` before it is removed, and so is a byte order mark at the
        start of the file.

        Args:
            limit: the limit.
            skipped: called with each piece of a line that is too long, before None is yielded.

        Raises:
            CorpusError: the file is empty, is damaged, is UTF-16 or UTF-32, or has old Mac line
                ends.
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
                    skipped(line)
                    self._skip_line(limit, skipped)
                    yield None
                line = readline(limit)

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield bytes as soon as they are available, at most `size` at a time.

        Raises:
            CorpusError: the file is damaged.
        """
        with self._damage_reported():
            while block := self._stream.read1(size):
                yield block

    def _check_start(self, line: bytes) -> None:
        if not line:
            raise CorpusError(f"{self.name}: the file is empty")
        found = next((name for bom, name in BOMS.items() if line.startswith(bom)), None)
        if found:
            raise CorpusError(
                f"{self.name}: looks like {found}, expected UTF-8; convert it: "
                f"iconv -f {found.lower()} -t utf-8 FILE > NEW"
            )
        if not line.endswith(b"\n") and b"\r" in line.removesuffix(b"\r"):
            raise CorpusError(
                f"{self.name}, line 1: old Mac line ends (CR without LF); convert the file: "
                "tr '\\r' '\\n' < FILE > NEW"
            )

    def _skip_line(self, limit: int, skipped: Callable[[bytes], object]) -> None:
        while piece := self._stream.readline(limit):
            skipped(piece)
            if piece.endswith(b"\n"):
                return

    def _uncompressed(self, buffered: io.BufferedReader) -> Stream:
        start, suffix = buffered.peek(16), self.path.suffix
        self._compression = next((name for name in MAGIC if MAGIC[name].match(start)), "")
        if not self._compression and suffix in COMPRESSED and start:
            kind = COMPRESSED[suffix]
            raise CorpusError(f"{self.name}: not a {kind} file, though its name ends in {suffix}")
        match self._compression:
            case "gzip":
                return gzip.GzipFile(fileobj=buffered, mode="rb")
            case "bzip2":
                return _buffered(_Decompressed(buffered, bz2.BZ2Decompressor))
            case "xz":
                return _buffered(_Decompressed(buffered, lzma.LZMADecompressor))
            case "zstd":
                return _buffered(_ZstdReader(buffered))
        return buffered

    @contextlib.contextmanager
    def _damage_reported(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
            raise self._damaged(error) from error
        except OSError as error:
            if self._compression and error.errno is None:
                raise self._damaged(error) from error
            raise CorpusError(f"{self.name}: cannot be read: {error.strerror}") from error

    def _damaged(self, error: Exception) -> CorpusError:
        reason = str(error).rstrip(".").lower()
        return CorpusError(f"{self.name}: damaged {self._compression} file ({reason})")


class _Decompressed(io.RawIOBase):
    """Reads the uncompressed bytes of all streams of a file, with zeros between them.

    Python's own readers take a damaged second stream for the end of the file.
    """

    def __init__(self, compressed: io.BufferedReader, new: Callable[[], Decompressor]) -> None:
        self._compressed, self._new = compressed, new
        self._stream, self._rest = new(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view, piece = memoryview(buffer), b""
        while not piece:
            if self._stream.eof and not self._next():
                return 0
            if self._stream.needs_input and not self._rest:
                self._rest = self._compressed.read1(BUFFER_BYTES)
                if not self._rest:
                    raise EOFError("it ends in the middle of a stream")
            piece = self._stream.decompress(self._rest, len(view))
            self._rest = b""
        view[: len(piece)] = piece
        return len(piece)

    def _next(self) -> bool:
        """Begin the next stream; return False if there is none."""
        self._rest = self._stream.unused_data.lstrip(b"\0")
        while not self._rest and (block := self._compressed.read1(BUFFER_BYTES)):
            self._rest = block.lstrip(b"\0")
        self._stream = self._new() if self._rest else self._stream
        return bool(self._rest)


class _ZstdReader(io.RawIOBase):
    """Reads the uncompressed bytes of a zstd file."""

    def __init__(self, compressed: io.BufferedReader) -> None:
        import pyarrow as pa  # takes a while to import, and few files need it

        self._inner = pa.CompressedInputStream(pa.PythonFile(compressed, "r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        return int(self._inner.readinto(buffer))


class _HashedReader(io.RawIOBase):
    """Reads bytes from another reader and hashes them."""

    def __init__(self, raw: BinaryIO) -> None:
        self._read = getattr(raw, "read1", raw.read)  # available bytes, without waiting
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        piece: bytes = self._read(len(view))
        view[: len(piece)] = piece
        self.sha256.update(piece)
        return len(piece)


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(raw, BUFFER_BYTES)


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextFile]:
    """Open a text file, or stdin for `-`, and close it at the end.

    Raises:
        MissingInputError: the file does not exist or cannot be opened.
        CorpusError: the path is a directory, or a file is not compressed as its name says.
    """
    if path == STDIN:
        # unbuffered: bytes are available at once, and a thread waiting for input holds no lock
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


def folder_of(path: Path) -> Path | None:
    """Return where the relative paths in a file are looked up first; None for stdin."""
    if path == STDIN:
        return None
    return path if path.is_dir() else path.parent  # the folder of a dataset has its files


def without_compression(name: str) -> str:
    """Return the name of a file without the ending of a compressed one."""
    path = PurePath(name)
    return path.stem if path.suffix.lower() in COMPRESSED else name


def has_columns(lines: Sequence[bytes]) -> bool:
    """Whether most of these lines contain a TAB."""
    return 2 * sum(b"\t" in line for line in lines) > len(lines)


def decode_line(line: bytes) -> str:
    """Decode a line as UTF-8.

    Raises:
        BadLineError: the line is not UTF-8 or contains a NUL byte.
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
    """Return a line size limit in bytes, large enough for two sides of `max_length` characters."""
    return max(MIN_LINE_LIMIT, 2 * 4 * max_length + 1024)

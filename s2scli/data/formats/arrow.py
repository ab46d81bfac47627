"""Arrow IPC: a stream or a file of record batches; Hugging Face datasets and Feather 2 write it."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from s2scli.data.formats.columns import choose_columns, read_batches
from s2scli.data.formats.fields import USUAL, Fields
from s2scli.data.lines import TextFile
from s2scli.data.rows import ReadRow
from s2scli.errors import CorpusError

FILE_START, FILE_END = b"ARROW1\0\0", b"ARROW1"  # a stream between them, and its index, is a file
STREAM_END = b"\xff\xff\xff\xff\0\0\0\0"
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Arrow:
    """One row per row of the record batches.

    Attributes:
        fields: the fields to read.
    """

    fields: Fields = USUAL
    files: ClassVar[int] = 1
    by_line: ClassVar[bool] = False

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every row; the files of a dataset are read one after the other.

        Raises:
            CorpusError: as for `Format.read`; a field is missing or is not text.
        """
        before = 0
        for file in files:
            before += yield from self._read(file, limit, before)

    def _read(self, file: TextFile, limit: int, before: int) -> Generator[ReadRow, None, int]:
        import pyarrow as pa

        stream = _Stream(file)
        try:
            reader = pa.ipc.open_stream(pa.PythonFile(stream, "r"))
            fields = choose_columns(reader.schema, self.fields, file.name)
            rows = yield from read_batches(reader, fields, file.name, limit, before)
        except (pa.ArrowException, ValueError, MemoryError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CorpusError(f"{file.name}: damaged Arrow file ({reason})") from error
        if not stream.ends():
            raise CorpusError(f"{file.name}: damaged Arrow file (it ends without its end mark)")
        return rows


class _Stream:
    """The bytes of a file as Arrow reads them, without what only a file has before the stream.

    Attributes:
        closed: always False: the file is closed where it was opened.
    """

    def __init__(self, file: TextFile) -> None:
        self.closed = False
        self._blocks, self._pending, self._last = file.blocks(BLOCK_BYTES), bytearray(), b""
        start = self.read(len(FILE_START))
        if not start:
            raise CorpusError(f"{file.name}: the file is empty")
        self._is_file = start == FILE_START
        if not self._is_file:
            self._pending[:0] = start

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, or fewer at the end."""
        while len(self._pending) < size and (block := next(self._blocks, b"")):
            self._pending += block
        found = bytes(self._pending[:size])
        del self._pending[:size]
        self._last = (self._last + found[-8:])[-8:]
        return found

    def ends(self) -> bool:
        """Read the rest; whether the stream, and the file, were complete."""
        whole = self._last == STREAM_END
        while self.read(BLOCK_BYTES):
            pass
        return whole and (not self._is_file or self._last.endswith(FILE_END))

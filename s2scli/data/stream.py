"""Lines of a stream as they come: in order, none lost, gathered into windows.

A thread reads ahead, so that lines which have come are answered while the next are waited for.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from s2scli.data.lines import UTF8_BOM, open_text
from s2scli.errors import CorpusError
from s2scli.settings import Settings, setting

BLOCK_BYTES = 1 << 16
BLOCKS_AHEAD = 16
LINE_BYTES = 10_000_000
WINDOW_BYTES = 4_000_000


class StreamSettings(Settings):
    """How a stream of lines is read."""

    panel = "Input and output"

    window: int = setting(
        512,
        "Lines read and translated together, sorted by length.",
        unit="lines",
        ge=1,
        le=1_000_000,
    )
    max_wait: int = setting(
        50,
        "Milliseconds to wait for more lines before translating those that have come.",
        unit="ms",
        ge=0,
        le=3_600_000,
    )
    overlong: Literal["split", "truncate", "empty", "error"] = setting(
        "split",
        "What to do with a line that is too long for the model: split (at sentence ends, translate "
        "the parts, join them), truncate, empty (write an empty line) or error.",
    )
    strict: bool = setting(
        False, "Refuse a line that is not UTF-8 instead of replacing its bad bytes with U+FFFD."
    )


@dataclass(frozen=True)
class Line:
    """One line of the input.

    Attributes:
        name: what the file is called in messages.
        number: the first line is 1.
        text: the line, without its line end; a byte that is not UTF-8 is U+FFFD.
        bad_byte: the place of the first byte that is not UTF-8, the first is 1; 0 where all are.
        cut: only the first 10,000,000 bytes were kept.
    """

    name: str
    number: int
    text: str
    bad_byte: int = 0
    cut: bool = False

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.name}, line {self.number}"


class LineSplitter:
    r"""Cuts blocks of bytes into lines at `\n` and nothing else.

    One `\r` before the line end and a byte order mark at the start are no part of a line; the
    last line may lack its end. Of an endless line only the first `LINE_BYTES` bytes are kept.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0
        self._pending = bytearray()
        self._cut = False

    def feed(self, block: bytes) -> Iterator[Line]:
        """Yield the lines that end in `block`."""
        *ended, rest = block.split(b"\n")
        for piece in ended:
            self._keep(piece)
            yield self._line()
        self._keep(rest)

    def finish(self) -> Iterator[Line]:
        """Yield the last line if it had no line end."""
        if self._pending:
            yield self._line()

    def _keep(self, piece: bytes) -> None:
        room = LINE_BYTES - len(self._pending)
        self._cut |= len(piece) > room
        self._pending += piece[:room]

    def _line(self) -> Line:
        self._number += 1
        data = bytes(self._pending).removesuffix(b"\r")
        if self._number == 1:
            data = data.removeprefix(UTF8_BOM)
        line = _decode(self._name, self._number, data, self._cut)
        self._pending.clear()
        self._cut = False
        return line


def _decode(name: str, number: int, data: bytes, cut: bool) -> Line:
    try:
        return Line(name, number, data.decode(), cut=cut)
    except UnicodeDecodeError as error:
        if cut and error.reason == "unexpected end of data":
            return Line(name, number, data[: error.start].decode(), cut=True)
        return Line(name, number, data.decode(errors="replace"), error.start + 1, cut)


def read_windows(path: Path, settings: StreamSettings) -> Iterator[list[Line]]:
    """Yield the lines of a file, or of stdin for `-`, in windows, none of them empty.

    A window ends when it is full (`settings.window` lines or 4 MB), when no line has come for
    `settings.max_wait` ms, and at the end, be it a bad one: good lines come before an error.

    Raises:
        MissingInputError: there is no such file, or it may not be read.
        CorpusError: it is a directory or damaged, or, with `settings.strict`, not UTF-8.
    """
    blocks: queue.Queue[bytes | Exception] = queue.Queue(BLOCKS_AHEAD)
    threading.Thread(target=_read_ahead, args=(path, blocks), daemon=True).start()
    splitter = LineSplitter("stdin" if str(path) == "-" else str(path))
    window = Window(settings.window)
    while True:
        try:
            block = blocks.get(timeout=settings.max_wait / 1000 if window.lines else None)
        except queue.Empty:
            yield window.take()
            continue
        if isinstance(block, Exception):
            yield from window.rest()
            raise block
        for line in splitter.feed(block) if block else splitter.finish():
            if settings.strict and line.bad_byte:
                yield from window.rest()
                raise CorpusError(f"{line.where}, byte {line.bad_byte}: not UTF-8")
            window.add(line)
            if window.full:
                yield window.take()
        if not block:
            break
    yield from window.rest()


class Window:
    """Lines that will be answered together."""

    def __init__(self, size: int) -> None:
        self.lines: list[Line] = []
        self._size = size
        self._characters = 0

    @property
    def full(self) -> bool:
        """Whether it holds as many lines, or as much text, as it may."""
        return len(self.lines) >= self._size or self._characters >= WINDOW_BYTES

    def add(self, line: Line) -> None:
        """Add a line."""
        self.lines.append(line)
        self._characters += len(line.text)

    def take(self) -> list[Line]:
        """Return the lines and begin anew."""
        taken, self.lines, self._characters = self.lines, [], 0
        return taken

    def rest(self) -> Iterator[list[Line]]:
        """Yield the lines that are left, if there are any."""
        if self.lines:
            yield self.take()


def _read_ahead(path: Path, blocks: "queue.Queue[bytes | Exception]") -> None:
    """Put the bytes of a file into `blocks`, then an empty block, or what went wrong."""
    try:
        with open_text(path) as file:
            for block in file.blocks(BLOCK_BYTES):
                blocks.put(block)
        blocks.put(b"")
    except Exception as error:  # noqa: BLE001 - raised again where the blocks are read
        blocks.put(error)

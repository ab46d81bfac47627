"""Reads a stream in windows of lines, in order and without losing any.

A thread reads ahead, so that the next lines arrive while the current ones are processed.
"""

import queue
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from pydantic import field_validator, model_validator

from s2scli.data.cleaning import is_blank
from s2scli.data.lines import STDIN, UTF8_BOM, folder_of, open_text
from s2scli.data.settings import InputSettings
from s2scli.data.windows import Source, gather
from s2scli.errors import CorpusError
from s2scli.settings import setting

BLOCK_BYTES = 1 << 16
BLOCKS_AHEAD = 16
LINE_BYTES = 10_000_000
WINDOW_CHARACTERS = 4_000_000
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")

Overlong = Literal["split", "truncate", "empty", "error"]
Unit = Literal["line", "sentence", "document"]


class StreamSettings(InputSettings):
    """How a stream of lines is read."""

    window: int = setting(
        512,
        "Maximum number of lines to sort by length and process together.",
        unit="lines",
        ge=1,
        le=1_000_000,
    )
    max_wait: int = setting(
        50,
        "Maximum time to wait for more lines before processing those that have arrived, in "
        "milliseconds.",
        unit="ms",
        ge=0,
        le=3_600_000,
    )
    unit: Unit = setting(
        "line",
        "What to translate at once: line (each line as a whole), sentence (each sentence of a "
        "line) or document (each sentence; it can run over line breaks, and ends at a blank line). "
        "Outputs are joined with the white space between their sources; those of a document also "
        "have its line breaks between sentences, so the number of lines can differ.",
    )
    language: str | None = setting(
        None,
        "With --unit: the language of the text, such as en, to find its sentences with the library "
        "sentencex. Without it, a rule for all languages finds them.",
        "language",
    )
    overlong: Overlong = setting(
        "split",
        "What to do with a line, or a sentence, that is too long for the model: split (translate "
        "its parts and join them), truncate, empty (write an empty line) or error.",
    )
    strict: bool = setting(
        False,
        "Stop with an error at a line that is not UTF-8, instead of replacing the invalid bytes "
        "with U+FFFD.",
    )

    @field_validator("language")
    @classmethod
    def _check_language(cls, value: str | None) -> str | None:
        if value is not None and not LANGUAGE.fullmatch(value):
            raise ValueError(f"language: expected a code such as en or pt-br, found {value!r:.40}")
        return value

    @model_validator(mode="after")
    def _language_is_read(self) -> Self:
        if self.language and self.unit == "line":
            raise ValueError(
                "--language has no effect without --unit: add --unit sentence or --unit document"
            )
        return self


@dataclass(frozen=True)
class Line:
    """One line of the input, or one paragraph of a document.

    Attributes:
        name: the name of the file for messages.
        number: the line number, from 1; of a paragraph, that of its first line.
        text: the line without its line end; a paragraph has line breaks inside. Invalid
            UTF-8 is replaced by U+FFFD.
        bad_byte: the position of the first byte that is not UTF-8 in its line, from 1; 0 if there
            is none.
        cut: whether only the first 10,000,000 bytes were kept.
        target: the target, if the input has fields and the target is read, too.
        fault: why the row of an input with fields cannot be read; empty if it can.
        unit: what `number` counts: lines, or rows of a format whose rows are not lines.
        folder: where relative paths in the text are looked up first; None is the current folder.
    """

    name: str
    number: int
    text: str
    bad_byte: int = 0
    cut: bool = False
    target: str | None = None
    fault: str = ""
    unit: str = "line"
    folder: Path | None = None

    @property
    def where(self) -> str:
        """The file name and line number, for messages."""
        return f"{self.name}, {self.unit} {self.number}"


class LineSplitter:
    r"""Splits blocks of bytes into lines.

    Only `\n` ends a line. One `\r` before it is removed, and so is a byte order mark at the start.
    The last line need not end in `\n`. Only the first `LINE_BYTES` bytes of a line are kept.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self._name, self._folder = name, folder
        self._number = 0
        self._pending = bytearray()
        self._cut = False

    def feed(self, block: bytes) -> Iterator[Line]:
        """Yield the lines that end in `block`."""
        *ended, rest = block.split(b"\n")
        for part in ended:
            self._keep(part)
            yield self._line()
        self._keep(rest)

    def finish(self) -> Iterator[Line]:
        """Yield the last line if it has no line end."""
        if self._pending:
            yield self._line()

    def _keep(self, part: bytes) -> None:
        room = LINE_BYTES - len(self._pending)
        self._cut |= len(part) > room
        self._pending += part[:room]

    def _line(self) -> Line:
        self._number += 1
        data = bytes(self._pending).removesuffix(b"\r")
        if self._number == 1:
            data = data.removeprefix(UTF8_BOM)
        line = self._decode(data)
        self._pending.clear()
        self._cut = False
        return line

    def _decode(self, data: bytes) -> Line:
        bad_byte = 0
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            if self._cut and error.reason == "unexpected end of data":
                text = data[: error.start].decode()
            else:
                text, bad_byte = data.decode(errors="replace"), error.start + 1
        return Line(self._name, self._number, text, bad_byte, self._cut, folder=self._folder)


class LineReader:
    """Reads the lines of a file ahead in a thread; a `Source` for `gather`."""

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        """Start the thread.

        Args:
            path: the path of the file; `-` is stdin.
            strict: whether a line that is not UTF-8 is an error.
        """
        self._strict = strict
        self._splitter = LineSplitter("stdin" if path == STDIN else str(path), folder_of(path))
        self._lines: Iterator[Line] = iter(())
        self._blocks: queue.Queue[bytes | Exception] = queue.Queue(BLOCKS_AHEAD)
        self._ended = False
        threading.Thread(target=_read_ahead, args=(path, self._blocks), daemon=True).start()

    def get(self, block: bool = True, timeout: float | None = None) -> Line | None:
        """Wait for the next line and return it; None at the end.

        Args:
            block: always True here.
            timeout: the maximum time to wait, in seconds; None waits forever.

        Raises:
            queue.Empty: no line arrived in time.
            MissingInputError: the file does not exist or cannot be opened.
            CorpusError: the file is a directory or damaged, or the line is not UTF-8 and `strict`
                is true.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (line := next(self._lines, None)) is None:
            if self._ended:
                return None
            self._next_block(None if deadline is None else max(0, deadline - time.monotonic()))
        if self._strict and line.bad_byte:
            raise CorpusError(f"{line.where}, byte {line.bad_byte}: not UTF-8")
        return line

    def _next_block(self, timeout: float | None) -> None:
        """Wait for more bytes, and split them into lines."""
        block = self._blocks.get(timeout=timeout)
        if isinstance(block, Exception):
            raise block
        self._ended = not block
        self._lines = self._splitter.feed(block) if block else self._splitter.finish()


class ParagraphReader:
    """Joins the lines of each paragraph of a document; a `Source` for `gather`.

    A blank line ends a paragraph, and is a line of its own. A paragraph also ends after 4 million
    characters. One with an error in it is not read.
    """

    def __init__(self, lines: Source[Line | None]) -> None:
        self._lines = lines
        self._held: list[Line] = []
        self._characters = 0
        self._after: list[Line | None] = []

    def get(self, block: bool = True, timeout: float | None = None) -> Line | None:
        """Wait for the next paragraph or blank line; None at the end.

        Args:
            block: always True here.
            timeout: the maximum time to wait, in seconds; None waits forever.

        Raises:
            queue.Empty: the paragraph did not end in time; its lines are kept for the next call.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._after:
            return self._after.pop()
        while self._characters < WINDOW_CHARACTERS:
            left = None if deadline is None else max(0, deadline - time.monotonic())
            line = self._lines.get(timeout=left)
            if line is None or is_blank(line.text):
                if not self._held:
                    return line
                self._after.append(line)
                break
            self._held.append(line)
            self._characters += len(line.text)
        return self._paragraph()

    def _paragraph(self) -> Line:
        """Return the lines that are held as one."""
        held, self._held, self._characters = self._held, [], 0
        return replace(
            held[0],
            text="\n".join(line.text for line in held),
            bad_byte=next((line.bad_byte for line in held if line.bad_byte), 0),
            cut=any(line.cut for line in held),
        )


def read_windows(
    path: Path, settings: StreamSettings, rows: Source[Line | None] | None = None
) -> Iterator[list[Line]]:
    """Yield the lines, or paragraphs, of a file, or of stdin for `-`, in non-empty windows.

    The lines of a file with fields are its `rows` (`data.row_stream.open_rows`).

    A window ends when it is full (`settings.window` lines or 4 million characters), when its
    first line has waited for `settings.max_wait` ms, or at the end of the file. Lines before an
    error are yielded first.

    Raises:
        MissingInputError: the file does not exist or cannot be opened.
        CorpusError: the file is a directory or damaged, or a line is not UTF-8 and
            `settings.strict` is true.
    """
    lines = rows or LineReader(path, strict=settings.strict)
    return gather(
        ParagraphReader(lines) if settings.unit == "document" else lines,
        size=settings.window,
        max_wait=settings.max_wait / 1000,
        max_weight=WINDOW_CHARACTERS,
        weigh=lambda line: len(line.text),
    )


def _read_ahead(path: Path, blocks: "queue.Queue[bytes | Exception]") -> None:
    """Put the bytes of a file into `blocks`, then an empty block, or the error that stopped it."""
    try:
        with open_text(path) as file:
            for block in file.blocks(BLOCK_BYTES):
                blocks.put(block)
        blocks.put(b"")
    except Exception as error:  # noqa: BLE001 - raised again where the blocks are read
        blocks.put(error)

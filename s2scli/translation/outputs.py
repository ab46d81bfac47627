"""Where the records of a filter go: to stdout, to a file, or to a file that can be resumed.

An unfinished file `F` is `F.part`. Its journal, `F.part.json`, says how many lines it has the
records of, and what made them. The journal is written after the data it describes is on the disk,
so that a run killed at any moment can be continued at the last record that the journal knows.
"""

import contextlib
import copy
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from s2scli.artifacts import first_fault, read_json
from s2scli.data.stream import Line
from s2scli.errors import CheckpointError, ConfigError, LockedError, StorageError
from s2scli.files import FILES, Files, end_of_links, lock_file, new_file, storage_errors, write_file
from s2scli.report.console import Talk
from s2scli.report.streams import stdout_errors
from s2scli.translation.tally import Tally

PART, JOURNAL = ".part", ".part.json"
JOURNAL_SECONDS = 1.0
Write = Callable[[bytes], object]
Count = Annotated[int, Field(strict=True, ge=0)]


@dataclass
class Output:
    """Where records go.

    Attributes:
        write: writes the records of some lines, in order.
        tally: the counts of the lines that have their records.
    """

    write: Write
    tally: Tally = field(default_factory=Tally)

    def unread(self, windows: Iterable[Sequence[Line]]) -> Iterable[Sequence[Line]]:
        """Return the windows of the lines that have no record yet."""
        return windows

    def note(self, lines: Sequence[Line]) -> None:
        """Take note that these lines have their records, and `tally` counts them."""


@dataclass(frozen=True)
class Resuming:
    """What makes the records of a file, and whether an unfinished file is continued.

    Attributes:
        model: identifies the models and their weights.
        options: the values of everything else that the records depend on, by name.
        resume: whether to continue an unfinished file; otherwise it is replaced.
    """

    model: Sequence[str]
    options: Mapping[str, Any]
    resume: bool = False


@dataclass(frozen=True)
class Journal:
    """How far an unfinished file is.

    Attributes:
        model: identifies the models that made it.
        options: the options that made it.
        lines: the number of lines that have their records.
        lines_sha256: the SHA-256 of these lines.
        bytes: the size of their records.
        tally: the counts of these lines.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    model: tuple[str, ...]
    options: dict[str, Any]
    lines: Count
    lines_sha256: str
    bytes: Count
    tally: Tally


@contextlib.contextmanager
def open_output(path: Path | None) -> Iterator[Output]:
    """Yield an output to stdout, written at once, or to a file that appears once complete.

    Raises:
        StorageError: the disk is full or a write failed.
    """
    if path is None:
        yield Output(_write_stdout)
        return
    with new_file(path) as file:
        yield Output(file.write)


def _write_stdout(data: bytes) -> None:
    with stdout_errors():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def open_resumable(
    path: Path, resuming: Resuming, talk: Talk, files: Files = FILES
) -> Iterator[Output]:
    """Yield an output to a file that appears once complete, and of which no record is lost.

    If the block fails, the records so far stay in `F.part`. A device or a pipe is written to
    directly, and a link leads to the file.

    Args:
        path: the file to write.
        resuming: what makes the records, and whether to continue an unfinished file.
        talk: says what is continued, discarded or kept.
        files: the file operations to use.

    Raises:
        ConfigError: the unfinished file was made by another model, from other lines or with other
            options; it is not changed.
        CheckpointError: the unfinished file or its journal is damaged.
        LockedError: another process writes the file.
        StorageError: the disk is full or a write failed.
    """
    path = end_of_links(path)
    if path.exists() and not path.is_file():
        with open_output(path) as output:
            yield output
        return
    part, journal = _beside(path, PART), _beside(path, JOURNAL)
    with storage_errors(path), _open_locked(part) as file:
        before = _resumed(part, journal, resuming, talk)
        if not before and journal.exists():
            files.remove(journal)
            files.sync_folder(path.parent)  # it must not come back beside other records
        file.truncate(before.bytes if before else 0)
        output = PartialOutput(file, part, journal, resuming, before, files)
        try:
            yield output
            output.finish()
        except BaseException:
            output.keep(talk)
            raise
        if os.name == "nt":
            file.close()  # Windows cannot rename an open file
        files.rename(part, path)
        files.sync_folder(path.parent)
        files.remove(journal)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


@contextlib.contextmanager
def _open_locked(part: Path) -> Iterator[BinaryIO]:
    """Open a file for appending, and lock it while it is open.

    Raises:
        LockedError: another process has locked it.
    """
    while True:
        with part.open("ab") as file:
            if _is_locked(file):
                raise LockedError(f"{part}: another process is writing it")
            if part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):
                yield file
                return
        # another process published it after it was opened here


def _is_locked(file: BinaryIO) -> bool:
    """Lock a file; return whether another process has locked it."""
    try:
        lock_file(file)
    except BlockingIOError:
        return True
    except OSError:
        return False  # the file system does not support locks
    return False


def _resumed(part: Path, journal: Path, resuming: Resuming, talk: Talk) -> Journal | None:
    """Return the journal of the file to continue; None starts at the first line.

    Raises:
        CheckpointError: the file or the journal is damaged.
        ConfigError: the file was made by another model or with other options.
    """
    if not resuming.resume:
        if journal.exists():
            talk.warn(f"{part}: discarded, an unfinished output; --resume would have continued it")
        return None
    if not journal.exists() or not part.stat().st_size:
        talk.say(f"nothing to resume in {part}: starting at the first line")
        return None
    found = _read_journal(journal)
    if part.stat().st_size < found.bytes:
        raise CheckpointError(
            f"{part}: damaged, expected at least {found.bytes} bytes, found {part.stat().st_size}; "
            "leave --resume out to start again"
        )
    if list(found.model) != list(resuming.model):
        raise _refusal(part, "another model made it")
    now = json.loads(json.dumps(resuming.options))
    names = sorted(now.keys() | found.options.keys())
    differing = [name for name in names if now.get(name) != found.options.get(name)]
    if differing:
        listed = (f"{name}: {found.options.get(name)} -> {now.get(name)}" for name in differing)
        raise _refusal(part, f"it was made with other options: {'; '.join(listed):.500}")
    talk.say(f"resuming after line {found.lines:,}")
    return found


def _refusal(part: Path, why: str) -> ConfigError:
    return ConfigError(f"cannot resume {part}: {why}; leave --resume out to start again")


def _read_journal(path: Path) -> Journal:
    try:
        return TypeAdapter(Journal).validate_python(read_json(path))
    except ValidationError as error:
        raise CheckpointError(
            f"{path}: damaged ({first_fault(error)}); leave --resume out to start again"
        ) from error


class PartialOutput(Output):
    """An output to an unfinished file, with a journal."""

    def __init__(
        self,
        file: BinaryIO,
        part: Path,
        journal: Path,
        resuming: Resuming,
        before: Journal | None,
        files: Files,
    ) -> None:
        self._hash, self._lines = hashlib.sha256(), 0
        nothing = Journal(
            tuple(resuming.model), dict(resuming.options), 0, self._hash.hexdigest(), 0, Tally()
        )
        self._begun = self._saved = self._noted = before or nothing
        super().__init__(self._write, copy.deepcopy(self._saved.tally))
        self._file, self._part, self._journal, self._files = file, part, journal, files
        self._size, self._when = self._saved.bytes, time.monotonic()

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        self._size += len(data)

    def unread(self, windows: Iterable[Sequence[Line]]) -> Iterator[Sequence[Line]]:
        """Yield the windows of the lines that have no record yet.

        Raises:
            ConfigError: the lines before them are not those that the file was made from.
        """
        for window in windows:
            done = window[: max(0, self._saved.lines - self._lines)]
            self._count(done)
            if done and self._lines == self._saved.lines:
                self._check_read()
            if len(done) < len(window):
                yield window[len(done) :]

    def _check_read(self) -> None:
        if self._hash.hexdigest() != self._saved.lines_sha256:
            raise _refusal(self._part, "it was made from other lines")

    def _count(self, lines: Sequence[Line]) -> None:
        self._lines += len(lines)
        for line in lines:
            read = [line.text, *(part for part in (line.target, line.fault) if part)]
            self._hash.update("\n".join(read).encode(errors="replace") + b"\n")

    def note(self, lines: Sequence[Line]) -> None:
        """Count the lines, and write the journal unless it was written less than a second ago."""
        self._count(lines)
        self._noted = replace(
            self._noted,
            lines=self._lines,
            lines_sha256=self._hash.hexdigest(),
            bytes=self._size,
            tally=copy.deepcopy(self.tally),
        )
        if time.monotonic() - self._when >= JOURNAL_SECONDS:
            self._save()

    def _save(self) -> None:
        """Write the journal; the records that it describes are on the disk before it."""
        self._files.sync(self._part)
        text = json.dumps(asdict(self._noted), ensure_ascii=False)
        write_file(self._journal, text.encode(errors="replace"), self._files)
        self._saved, self._when = self._noted, time.monotonic()

    def finish(self) -> None:
        """Sync the file; all lines of the file that is continued must have been read.

        Raises:
            ConfigError: the input has fewer lines than the file has records of.
        """
        if self._lines < self._saved.lines:
            raise _refusal(self._part, f"the input has {self._lines:,} lines only")
        self._files.sync(self._part)

    def keep(self, talk: Talk) -> None:
        """After a failure, keep the records of all noted lines; remove the file if it has none."""
        with contextlib.suppress(OSError, StorageError):  # the journal before it stays valid
            if not self._noted.lines:
                self._files.remove(self._part)
                return
            if self._noted is not self._saved:
                self._save()
            if self._saved is not self._begun:
                talk.say(
                    f"{self._part} keeps the first {self._saved.lines:,} lines; the same command "
                    "with --resume continues it"
                )

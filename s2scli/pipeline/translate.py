"""`s2s translate`: a filter that gives one record for each line, in order, always."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from s2scli.data.lines import STDIN
from s2scli.data.stream import Line, StreamSettings, read_windows
from s2scli.errors import MissingInputError, StorageError, UsageError
from s2scli.files import new_file
from s2scli.pipeline.inspect import recipes_with_attention
from s2scli.pipeline.lines import Record, Searcher, translate_lines
from s2scli.pipeline.records import Clean, RecordFormat, one_line, plain_record
from s2scli.report.console import Talk, visible
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, load_settings
from s2scli.workspace import Workspace

if TYPE_CHECKING:
    from s2scli.pipeline.translator import Translator

PLACES_NAMED = 10
MUCH_UNKNOWN = 0.01

Write = Callable[[bytes], object]


@dataclass
class Oddities:
    """How many lines were odd in one way, and where the first ones are, by file."""

    count: int = 0
    first: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count one more."""
        self.count += 1
        if self.count <= PLACES_NAMED:
            self.first.setdefault(line.name, []).append(line.number)

    def __str__(self) -> str:
        files = (f"{name}: {', '.join(map(str, places))}" for name, places in self.first.items())
        more = f"; and {self.count - PLACES_NAMED:,} more" if self.count > PLACES_NAMED else ""
        return f"{self.count:,} line{'s' if self.count > 1 else ''} ({'; '.join(files)}{more})"


@dataclass
class Tally:
    """What was translated so far, and what was odd about it.

    Attributes:
        lines: how many lines were read.
        source_tokens: how many tokens the sources had, end tokens included.
        unknown_tokens: how many of them the model's tokenizer did not know.
        overlong: lines that were too long for the model, and did not fail.
        failed: lines that could not be translated.
        not_utf8: lines with bytes that are not UTF-8.
    """

    lines: int = 0
    source_tokens: int = 0
    unknown_tokens: int = 0
    overlong: Oddities = field(default_factory=Oddities)
    failed: Oddities = field(default_factory=Oddities)
    not_utf8: Oddities = field(default_factory=Oddities)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.lines += 1
        if record.translation:
            self.source_tokens += len(record.translation.source_pieces)
            self.unknown_tokens += record.translation.unknown_tokens
        if record.status == "failed":
            self.failed.add(record.line)
        elif record.overlong:
            self.overlong.add(record.line)
        if record.line.bad_byte:
            self.not_utf8.add(record.line)


def translate(
    inputs: Sequence[Path],
    output: Path | None,
    translator: Searcher,
    search: SearchSettings,
    stream: StreamSettings,
    record_format: RecordFormat,
    talk: Talk,
    *,
    with_attention: bool = False,
) -> Tally:
    """Translate files (or stdin for `-`) line by line, into a file or to stdout.

    Lines that came before an error are written to stdout; a file appears only when it is whole.
    `with_attention` says whether the records show what the decoder looked at; scores are shown by
    all but plain ones.

    Raises:
        MissingInputError: an input is not there.
        CorpusError: an input is damaged, or a line is refused (`stream.strict`,
            `stream.overlong`).
        StorageError: the output cannot be written; a file that was there stays as it was.
    """
    tally = Tally()
    started = time.perf_counter()
    clean = cleaner(output)

    def answer(window: Sequence[Line]) -> Iterator[str]:
        records = translate_lines(
            window,
            translator,
            search,
            stream.overlong,
            with_attention=with_attention,
            with_scores=record_format is not plain_record,
        )
        for index, record in enumerate(records, tally.lines):
            yield record_format(index, record, clean)
        _count(records, tally, talk)

    run_filter(inputs, output, stream, answer, talk)
    _report(tally, stream, time.perf_counter() - started, talk)
    return tally


def run_filter(
    inputs: Sequence[Path],
    output: Path | None,
    stream: StreamSettings,
    answer: Callable[[Sequence[Line]], Iterable[str]],
    talk: Talk,
) -> None:
    """Write what `answer` makes of each window of lines, as soon as it has come.

    Raises:
        MissingInputError: an input is not there.
        CorpusError: an input is damaged, or a line is refused.
        StorageError: the output cannot be written; a file that was there stays as it was.
    """
    with open_output(output) as write:
        for path in inputs:
            prompt = Prompt(path == STDIN, talk)
            prompt.show()
            for window in read_windows(path, stream):
                shown = (f"{record}\n" for record in answer(window))
                write("".join(shown).encode(errors="replace"))
                prompt.show()
            prompt.end()


def cleaner(output: Path | None) -> Clean:
    """Return what makes text fit to be one line of an output, or of the terminal."""
    return visible if output is None and sys.stdout.isatty() else one_line


def load_model(
    workspace: Workspace, models: Sequence[Path], device: str, int8: bool = False
) -> "Translator":
    """Load the model folders `models` (several are an ensemble), or the workspace's.

    Raises:
        MissingInputError: there is none; the message says how to get one.
        CheckpointError: one is damaged or was written by a newer version.
        UsageError: the models of an ensemble do not share a tokenizer.
    """
    folders = [workspace.find_model(model) for model in models or (None,)]
    from s2scli.pipeline.translator import Translator

    return Translator.load(*folders, device=device, int8=int8)


def require_inputs(inputs: Sequence[Path], hint: str) -> None:
    """Check that all inputs are there, before anything is done.

    Raises:
        MissingInputError: one is not; the message ends with the hint.
    """
    for path in inputs:
        if path != STDIN and not path.exists():
            raise MissingInputError(f"{path}: no such file; {hint}")


def require_attention(translator: Searcher) -> None:
    """Check that there is something to align words by.

    Raises:
        UsageError: the model has no attention; of an ensemble, the first model.
    """
    if not translator.has_attention:
        raise UsageError(
            "--alignment: this model (of several, the first) has no attention to align words by; "
            f"recipes that have it: {', '.join(recipes_with_attention())}"
        )


def search_settings(translator: Searcher, given: Tree) -> SearchSettings:
    """Return the model's own search settings, but for what was given.

    Raises:
        ConfigError: a setting is unknown or has a wrong value.
    """
    own = translator.search_settings.model_dump()
    return load_settings(SearchSettings, {**own, **given}, "command line")


@contextlib.contextmanager
def open_output(path: Path | None) -> Iterator[Write]:
    """Yield what writes bytes to stdout at once, or to a file that appears when it is whole.

    Raises:
        StorageError: the disk is full or a write failed.
    """
    if path is None:
        yield _write_stdout
        return
    with new_file(path) as file:
        yield file.write


def _write_stdout(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write stdout: {error.strerror}") from error


class Prompt:
    """Asks for lines on a terminal; elsewhere it keeps still."""

    def __init__(self, asked: bool, talk: Talk) -> None:
        terminal = asked and sys.stdin.isatty() and talk.stderr.is_terminal
        self._console = talk.stderr if terminal and not talk.quiet else None
        if self._console:
            talk.say("reading from the terminal, Ctrl-D ends")

    def show(self) -> None:
        """Ask for a line."""
        if self._console:
            self._console.print("> ", end="")

    def end(self) -> None:
        """Leave the line of the last question."""
        if self._console:
            self._console.print()


def _count(records: Sequence[Record], tally: Tally, talk: Talk) -> None:
    for record in records:
        tally.add(record)
        if record.status == "failed":
            talk.warn(f"{record.line.where}: not translated ({record.fault})")
    talk.detail(f"{tally.lines:,} lines translated")


def _report(tally: Tally, stream: StreamSettings, seconds: float, talk: Talk) -> None:
    treated = {"split": "split and joined again", "truncate": "truncated", "empty": "left out"}
    warn_of_bad_bytes(tally.not_utf8, talk)
    if tally.overlong.count:
        talk.warn(f"too long for the model and {treated[stream.overlong]}: {tally.overlong}")
    if tally.failed.count:
        talk.warn(f"not translated, their lines are empty: {tally.failed}")
    warn_of_unknown("source", tally.unknown_tokens, tally.source_tokens, talk)
    rate = tally.lines / max(seconds, 1e-9)
    talk.detail(f"{tally.lines:,} lines in {seconds:.1f} s ({rate:.1f} lines/s)")


def warn_of_bad_bytes(lines: Oddities, talk: Talk) -> None:
    """Name the lines that were not UTF-8, if there were any."""
    if lines.count:
        talk.warn(
            f"not UTF-8, bad bytes were read as U+FFFD: {lines}; "
            "if the text is Latin-1, convert it: iconv -f latin1 -t utf-8"
        )


def warn_of_unknown(side: str, unknown: int, tokens: int, talk: Talk) -> None:
    """Warn where the tokenizer did not know much of the source, or of the target."""
    share = unknown / max(tokens, 1)
    if share > MUCH_UNKNOWN:
        talk.warn(
            f"{100 * share:.1f} % of the {side} tokens are unknown to the model: "
            "is this the language and spelling that it was trained on?"
        )

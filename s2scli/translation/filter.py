"""The filter: read lines of files or stdin, and write one record for each line, in order."""

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from s2scli.data.codecs.text import one_line
from s2scli.data.lines import STDIN
from s2scli.data.row_stream import open_rows
from s2scli.data.stream import Line, StreamSettings, read_windows
from s2scli.errors import MissingInputError, S2SError
from s2scli.report.console import Talk, visible
from s2scli.translation.outputs import Resuming, open_output, open_resumable
from s2scli.translation.records import Clean, Record, RecordFormat
from s2scli.translation.tally import NAMED, Tally, Unknown

MUCH_UNKNOWN = 0.01

Answer = Callable[[Sequence[Line]], Iterator[Record]]


def run_filter(
    inputs: Sequence[Path],
    output: Path | None,
    stream: StreamSettings,
    answer: Answer,
    record_format: RecordFormat | None,
    talk: Talk,
    done: str = "translated",
    *,
    files: bool = False,
    copied: Sequence[Path] = (),
    pairs: bool = False,
    resuming: Resuming | None = None,
) -> Tally:
    """Process all lines of some files, window by window, as soon as they arrive.

    On an error, stdout has the results of the lines before it. An output file appears only once it
    is complete; with `resuming`, what an unfinished run has written can be continued.

    Args:
        inputs: files, plain or compressed; `-` is stdin.
        output: the file to write; None is stdout.
        stream: how lines are grouped into windows.
        answer: returns the records of a window of lines.
        record_format: formats a record; None writes nothing.
        talk: warns of lines with problems.
        done: what happens to a line, for messages, such as "translated".
        files: each input stands for itself, as a line with its path.
        copied: files in front of the inputs, whose lines get records of status copied.
        pairs: read the targets of inputs with fields, too.
        resuming: keep an unfinished output file, and whether to continue one; None removes it.

    Raises:
        MissingInputError: an input does not exist.
        CorpusError: an input is damaged, or a line is refused.
        ConfigError: the unfinished output cannot be continued.
        LockedError: another process writes the output.
        StorageError: the output cannot be written; an existing file is not changed.
    """
    started = time.perf_counter()
    opened = open_resumable(output, resuming, talk) if resuming and output else open_output(output)
    with opened as out:
        tally = out.tally
        before = tally.lines
        fronts = ((False, read_windows(path, stream), _copy) for path in copied)
        show = _shown_by(record_format, cleaner(output), tally)
        usual = ((*source, answer) for source in _sources(inputs, stream, files, pairs))
        for asked, windows, answer_of in itertools.chain(fronts, usual):
            prompt = Prompt(asked, talk)
            prompt.show()
            for window in out.unread(windows):
                records = _counted(answer_of(window), tally, talk, done)
                shown, refusal = _until_refused(map(show, records))
                if record_format:
                    out.write("".join(shown).encode(errors="replace"))
                talk.detail(f"{tally.lines:,} lines {done}")
                out.note(window[: len(shown)])
                if refusal:
                    raise refusal
                prompt.show()
            prompt.end()
    done += ", written as empty lines" * (record_format is not None)
    report_tally(tally, stream, talk, done)
    lines, seconds = tally.lines - before, time.perf_counter() - started
    rate = lines / max(seconds, 1e-9)
    talk.detail(f"{lines:,} lines in {seconds:.1f} s ({rate:.1f} lines/s)")
    return tally


def _sources(
    inputs: Sequence[Path], stream: StreamSettings, files: bool, pairs: bool
) -> Iterator[tuple[bool, Iterable[Sequence[Line]]]]:
    """Yield the windows of lines of each input, and whether it is stdin."""
    if files:
        lines = lines_of(inputs)
        yield False, [lines[i : i + stream.window] for i in range(0, len(lines), stream.window)]
        return
    for path in inputs:
        yield path == STDIN, read_windows(path, stream, open_rows(path, stream, pairs=pairs))


def _copy(window: Sequence[Line]) -> Iterator[Record]:
    return (Record(line, "copied") for line in window)


def lines_of(files: Sequence[Path]) -> list[Line]:
    """Return a line with the path of each file."""
    return [Line("files", number, str(path)) for number, path in enumerate(files, 1)]


def _shown_by(
    record_format: RecordFormat | None, clean: Clean, tally: Tally
) -> Callable[[Record], str]:
    """Return what shows a record that has just been counted; without a format, it is empty."""
    if record_format is None:
        return lambda record: ""
    return lambda record: f"{record_format(tally.lines - 1, record, clean)}\n"


def _until_refused(shown: Iterator[str]) -> tuple[list[str], S2SError | None]:
    """Return what is shown of the lines before the first refused one, and its error or None."""
    found = []
    try:
        for text in shown:
            found.append(text)
    except S2SError as error:
        return found, error
    return found, None


def _counted(records: Iterable[Record], tally: Tally, talk: Talk, done: str) -> Iterator[Record]:
    """Count records as they arrive, and warn of the first lines that failed.

    No record is kept: those of recordings have large attention weights.
    """
    for record in records:
        tally.add(record)
        if record.status == "failed" and tally.failed.count <= NAMED:
            talk.warn(f"{record.line.where}: not {done} ({record.fault})")
        yield record


def report_tally(tally: Tally, stream: StreamSettings, talk: Talk, done: str) -> None:
    """Warn of lines with problems."""
    treated = {"split": "translated in parts", "truncate": "truncated", "empty": "left out"}
    if tally.not_utf8.count:
        talk.warn(
            f"invalid UTF-8, replaced with U+FFFD: {tally.not_utf8}; "
            "if the text is Latin-1, convert it: iconv -f latin1 -t utf-8"
        )
    if tally.overlong.count:
        talk.warn(f"too long for the model, {treated[stream.overlong]}: {tally.overlong}")
    if tally.failed.count:
        talk.warn(f"not {done}: {tally.failed}")
    _warn_of_unknown("source", tally.source, talk)
    _warn_of_unknown("target", tally.target, talk)


def _warn_of_unknown(side: str, found: Unknown, talk: Talk) -> None:
    """Warn if many tokens of a side are unknown."""
    share = found.unknown / max(found.tokens, 1)
    if share > MUCH_UNKNOWN:
        talk.warn(
            f"{100 * share:.1f} % of the {side} tokens are unknown to the model: "
            "is this the language and spelling that it was trained on?"
        )


def cleaner(output: Path | None) -> Clean:
    """Return a function that makes text safe for one line of a file, or of the terminal."""
    return visible if output is None and sys.stdout.isatty() else one_line


def require_inputs(inputs: Sequence[Path], hint: str) -> None:
    """Check that all inputs exist.

    Raises:
        MissingInputError: an input does not exist; the message ends with the hint.
    """
    for path in inputs:
        if path != STDIN and not path.exists():
            raise MissingInputError(f"{path}: no such file; {hint}")


class Prompt:
    """Prompts for lines on a terminal; does nothing elsewhere."""

    def __init__(self, asked: bool, talk: Talk) -> None:
        terminal = asked and sys.stdin.isatty() and talk.stderr.is_terminal
        self._console = talk.stderr if terminal and not talk.quiet else None
        if self._console:
            talk.say("reading from the terminal, Ctrl-D ends")

    def show(self) -> None:
        """Show the prompt."""
        if self._console:
            self._console.print("> ", end="")

    def end(self) -> None:
        """End the line of the last prompt."""
        if self._console:
            self._console.print()

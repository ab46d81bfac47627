"""`s2s translate --format srt|vtt`: write the subtitles of recordings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.cell import is_uri
from s2scli.data.row_stream import open_rows
from s2scli.data.stream import Line, StreamSettings, read_windows
from s2scli.errors import StorageError, UsageError
from s2scli.files import new_file
from s2scli.report.console import Talk, write_stdout
from s2scli.search.settings import SearchSettings
from s2scli.sides import Picture, Sound
from s2scli.translation.filter import lines_of, report_tally
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import Record
from s2scli.translation.subtitles import srt, vtt
from s2scli.translation.tally import Tally
from s2scli.translation.translator import Translator

WRITERS = {"srt": srt, "vtt": vtt}
SUFFIXES = (".srt", ".vtt")
MEDIA_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"}


@dataclass(frozen=True)
class SubtitleRequest:
    """The recordings, and where to write their subtitles.

    Attributes:
        inputs: files with the path of a recording on each line, or recordings.
        files: whether the inputs are recordings, not lists of their paths.
        output: a path that ends in .srt or .vtt, for one recording; any other path is a folder,
            which gets one file per recording; None is stdout, for one recording.
        format: srt or vtt.
        settings: the search settings.
        stream: how lines are read and grouped.
    """

    inputs: Sequence[Path]
    files: bool
    output: Path | None
    format: str
    settings: SearchSettings
    stream: StreamSettings

    @property
    def folder(self) -> Path | None:
        """The folder to write to; None for a file or stdout."""
        single = self.output is None or self.output.suffix in SUFFIXES
        return None if single else self.output

    def text(self, record: Record) -> str:
        """Return the subtitles of one recording."""
        return WRITERS[self.format](record.translation.cues if record.translation else ())


def write_subtitles(translator: Translator, request: SubtitleRequest, talk: Talk) -> int:
    """Write the subtitles of each recording; return the number of recordings that failed.

    Raises:
        UsageError: the model does not read sound, the output does not fit the number of recordings,
            or two recordings have the same name.
        MissingInputError: an input is missing.
        CorpusError: an input is damaged, or a recording is too long and may not be split.
        StorageError: a file cannot be written.
    """
    require_sound(translator, f"--format {request.format}")
    lines = _lines(request)
    targets = _targets(lines, request)
    options = Options(
        request.settings, request.stream.overlong, Wanted(times=True), request.stream.window
    )
    tally = Tally()
    for record, target in zip(translator.translate(lines, options), targets, strict=True):
        tally.add(record)
        if record.status == "failed":
            talk.warn(f"{record.line.where}: not translated ({record.fault})")
        elif target is None:
            write_stdout(request.text(record))
        else:
            _write(target, request.text(record))
            talk.say(f"wrote {target}")
    report_tally(tally, request.stream, talk, "translated")
    return tally.failed.count


def require_sound(translator: Translator, flag: str) -> None:
    """Check that the model reads sound.

    Raises:
        UsageError: it reads text or pictures.
    """
    if not isinstance(translator.sides.source, Sound):
        reads = "pictures" if isinstance(translator.sides.source, Picture) else "text"
        raise UsageError(f"{flag} is for models that read sound; this one reads {reads}")


def check_inputs(translator: Translator, inputs: Sequence[Path], *, files: bool) -> None:
    """Check that the inputs are of the kind that the model and --files expect.

    Raises:
        UsageError: --files is given to a model of text, or is missing before a recording or a
            picture.
    """
    if files and translator.sides.source is None:
        raise UsageError("--files is for models that read sound or pictures; this one reads text")
    if files or translator.sides.source is None:
        return
    for path in inputs:
        if path.suffix.lower() in MEDIA_SUFFIXES:
            raise UsageError(
                f"{path}: expected a text file with a path on each line; to translate this file "
                "itself, give --files"
            )


def _lines(request: SubtitleRequest) -> list[Line]:
    """Return a line for each recording."""
    if request.files:
        return lines_of(request.inputs)
    windows = (
        window
        for path in request.inputs
        for window in read_windows(path, request.stream, open_rows(path, request.stream))
    )
    return [line for window in windows for line in window if not is_blank(line.text)]


def _targets(lines: Sequence[Line], request: SubtitleRequest) -> list[Path | None]:
    """Return the file to write for each recording; None is stdout."""
    suffix = f".{request.format}"
    if request.folder is None:
        if request.output and request.output.suffix != suffix:
            raise UsageError(f"-o {request.output}: expected a path that ends in {suffix}")
        if len(lines) != 1:
            raise UsageError(
                f"{len(lines)} recordings: expected one; to write a file for each of several, give "
                "a folder: -o DIR"
            )
        return [request.output]
    targets = [request.folder / f"{_name(line)}{suffix}" for line in lines]
    twice = [target for target, count in Counter(targets).items() if count > 1]
    if twice:
        raise UsageError(
            f"{twice[0]}: several recordings have this output file; translate recordings with the "
            "same name into different folders"
        )
    return [*targets]


def _name(line: Line) -> str:
    """Return the name of the subtitle file of a recording, without its suffix."""
    return f"line-{line.number}" if is_uri(line.text) else Path(line.text).stem


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{target.parent}: cannot be created: {error.strerror}") from error
    with new_file(target) as file:
        file.write(text.encode(errors="replace"))

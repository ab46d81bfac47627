"""Reads the rows of a file with fields as a stream of lines."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from s2scli.data.example import Example
from s2scli.data.formats import ENDINGS, FIELD_FORMATS, FORMATS, Format
from s2scli.data.formats.folders import expand_folders
from s2scli.data.formats.grouping import fields_of, format_by_name
from s2scli.data.lines import STDIN, folder_of, open_text, without_compression
from s2scli.data.rows import BadLine, Notice, ReadRow
from s2scli.data.settings import InputSettings
from s2scli.data.stream import LINE_BYTES, Line, StreamSettings
from s2scli.errors import CorpusError, UsageError


class RowReader:
    """The rows of a file as lines; a `Source` for `gather`."""

    def __init__(
        self, rows: Iterator[ReadRow], path: Path, *, unit: str, strict: bool, pairs: bool
    ) -> None:
        """Prepare to read.

        Args:
            rows: the rows.
            path: the file, a folder of a dataset, or `-`.
            unit: what the rows are in the file: lines or rows.
            strict: whether a bad row is an error.
            pairs: whether the lines have targets, too.
        """
        self._rows, self._folder, self._unit = rows, folder_of(path), unit
        self._name = "stdin" if path == STDIN else str(path)
        self._strict, self._pairs = strict, pairs

    def get(self, block: bool = True, timeout: float | None = None) -> Line | None:
        """Return the next row as a line; None at the end.

        Args:
            block: always True here.
            timeout: not used: a row is read without waiting for others.

        Raises:
            CorpusError: the file is damaged, or the row is bad and `strict` is true.
        """
        for row in self._rows:
            if isinstance(row, Example):
                target = row.target if self._pairs else None
                line = Line(self._name, row.line, row.source, target=target, unit=self._unit)
                return replace(line, folder=self._folder)
            if isinstance(row, BadLine):
                if self._strict:
                    raise CorpusError(str(row))
                return Line(self._name, row.line, "", fault=row.fault, unit=row.unit)
        return None


def open_rows(path: Path, settings: StreamSettings, *, pairs: bool = False) -> RowReader | None:
    """Return a reader of the rows of a file; None for a file of lines.

    Args:
        path: the file, a folder of a dataset, or `-`.
        settings: the format and the fields.
        pairs: whether targets are read, too.

    Raises:
        UsageError: the format has two files, or has no fields, and a field is given.
    """
    name = _format_of(path, settings)
    if name is None or name == "sentences" or (name == "tsv" and pairs):
        given = settings.source_field or settings.target_field
        if given:
            raise UsageError(f"the field {given!r:.60} is given, but {path} is text without fields")
        return None
    if FORMATS[name].files > 1:
        raise UsageError(f"--input-format {name} has two files, and this command reads one")
    format = _with_fields(name, settings, alone=not pairs)
    unit, rows = "line" if format.by_line else "row", _rows(path, format)
    return RowReader(rows, path, unit=unit, strict=settings.strict, pairs=pairs)


def _rows(path: Path, format: Format) -> Iterator[ReadRow]:
    with contextlib.ExitStack() as stack:  # the files of a dataset are one corpus
        files = [stack.enter_context(open_text(part)) for part in expand_folders([path])]
        yield from format.read(files, LINE_BYTES)


def _with_fields(name: str, settings: InputSettings, *, alone: bool = False) -> Format:
    kind = FIELD_FORMATS.get(name)
    return kind(fields_of(settings, alone=alone)) if kind else FORMATS[name]


def _format_of(path: Path, settings: InputSettings) -> str | None:
    """Return the name of the format of a file; None for lines of text."""
    if settings.input_format or path == STDIN:
        return settings.input_format
    if path.is_dir():
        return "arrow"
    if Path(without_compression(path.name)).suffix.lower() not in ENDINGS:
        return None
    with open_text(path) as file:
        return format_by_name(file)


def names_pairs(path: Path, settings: InputSettings) -> bool:
    """Whether a file has the sources and the targets, by its name or the given format."""
    name = _format_of(path, settings)
    return name == "tsv" or name in FIELD_FORMATS


@contextlib.contextmanager
def open_pairs(
    paths: Sequence[Path], settings: InputSettings, usual: str
) -> Iterator[Iterator[ReadRow]]:
    """Open a file of pairs, or a file of sources and one of targets, and give its rows.

    Args:
        paths: the file, or both files; a folder of a dataset is a file of pairs.
        settings: the format and the fields.
        usual: the format of text files.

    Raises:
        UsageError: the format has another number of files.
        MissingInputError: a file does not exist or cannot be opened.
        CorpusError: a file is damaged.
    """
    found = [_format_of(path, settings) for path in paths]
    name = next(filter(None, found), usual)
    if FORMATS[name].files != len(paths):
        raise UsageError(
            f"{' and '.join(map(str, paths))}: {name} has "
            + ("source and target in one file" if len(paths) > 1 else "a file for each side")
        )
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_text(path)) for path in expand_folders(paths)]
        yield (
            row
            for row in _with_fields(name, settings).read(files, LINE_BYTES)
            if not isinstance(row, Notice)
        )

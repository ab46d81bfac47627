"""Corpus formats: a TSV file, parallel files or sentences become examples and dropped lines."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from s2scli.data.cleaning import EMPTY_BOTH, OVER_LONG, Dropped, Row, is_blank, looks_like_header
from s2scli.data.example import Example
from s2scli.data.lines import BadLineError, TextFile, decode_line
from s2scli.errors import CorpusError

NO_LINE = b"\n"  # no line holds its line end


def read_rows(
    files: Sequence[TextFile],
    limit: int,
    *,
    one_column: bool = False,
    skip_bad_lines: bool,
    notice: Callable[[str], None],
) -> Iterator[Row]:
    """Yield a row for every line of a TSV file, of two parallel files, or of sentences.

    A TSV file has the number of columns of its first row, two or more; only the first two are
    used. There is no quoting, and a header is a row. In parallel files a TAB is white space.

    Args:
        files: one file or two, not read yet.
        limit: the most bytes of a line; a longer one is dropped as `over_long`.
        one_column: the file holds sentences, each of them source and target; a TAB is an error.
        skip_bad_lines: drop lines that are no text or have a wrong number of columns.
        notice: is told what the user should know though it is no error.

    Raises:
        CorpusError: a file or, without `skip_bad_lines`, a line is not what it should be.
    """
    if one_column:
        rows = _sentence_rows(files[0], limit)
    elif len(files) == 1:
        rows = _tsv_rows(files[0], limit, notice)
    else:
        rows = _parallel_rows(files, limit)
    for number, row in enumerate(rows, start=1):
        if number == 1 and isinstance(row, Example) and looks_like_header(row):
            notice(
                f"{files[0].short_name}, line 1 looks like a header and is kept as a row; leave "
                "it out with: tail -n +2 FILE | s2s prepare -"
            )
        if not isinstance(row, _BadLine):
            yield row
        elif skip_bad_lines:
            yield Dropped(number, row.error.kind)
        else:
            flags = "--one-column " * one_column + "--skip-bad-lines"
            raise CorpusError(
                f"{row.file.name}, line {number}: {row.error} (or drop such lines with {flags})"
            ) from row.error


@dataclass(frozen=True)
class _BadLine:
    file: TextFile
    error: BadLineError


def _tsv_rows(
    file: TextFile, limit: int, notice: Callable[[str], None]
) -> Iterator[Row | _BadLine]:
    columns, first = 0, 0
    for number, line in enumerate(file.lines(limit), start=1):
        if line is None:
            yield Dropped(number, OVER_LONG)
            continue
        try:
            text = decode_line(line)
            cells = text.split("\t")
            if len(cells) != columns or not cells[0]:
                if is_blank(text):
                    yield Dropped(number, EMPTY_BOTH)
                    continue
                _check_columns(len(cells), columns, first)
                if not columns:
                    columns, first = len(cells), number
                    if columns > 2:
                        notice(f"{file.short_name} has {columns} columns; the first 2 are used")
        except BadLineError as error:
            yield _BadLine(file, error)
        else:
            yield Example(cells[0], cells[1], number)


def _check_columns(found: int, expected: int, first: int) -> None:
    """Hold a row against the first one (`expected` is 0 where this is the first)."""
    if found == 1:
        hint = "" if expected else "; --one-column is for sentences that are their own targets"
        raise BadLineError("columns", f"no TAB, expected source TAB target{hint}")
    if expected and found != expected:
        raise BadLineError("columns", f"{found} columns, but line {first} has {expected}")


def _sentence_rows(file: TextFile, limit: int) -> Iterator[Row | _BadLine]:
    for number, line in enumerate(file.lines(limit), start=1):
        if line is None:
            yield Dropped(number, OVER_LONG)
            continue
        try:
            yield Example(*read_pair(decode_line(line), one_column=True), number)
        except BadLineError as error:
            yield _BadLine(file, error)


def read_pair(text: str, *, one_column: bool) -> tuple[str, str]:
    """Return source and target of a line that stands for itself; one that is blank is both.

    Args:
        text: source TAB target, and nothing else.
        one_column: `text` is a sentence, its own source and target.

    Raises:
        BadLineError: another number of columns.
    """
    cells = text.split("\t")
    if is_blank(text) or (one_column and len(cells) == 1):
        return text, text
    if one_column:
        raise BadLineError("columns", f"{len(cells)} columns, expected one: a sentence alone")
    if len(cells) == 1:
        raise BadLineError(
            "columns",
            "no TAB, expected source TAB target; of two files: paste SOURCES TARGETS; "
            "--one-column is for sentences that are their own targets",
        )
    if len(cells) > 2:
        fault = f"{len(cells)} columns, expected source TAB target; choose two: cut -f 1,2"
        raise BadLineError("columns", fault)
    return cells[0], cells[1]


def _parallel_rows(files: Sequence[TextFile], limit: int) -> Iterator[Row | _BadLine]:
    sources, targets = (file.lines(limit) for file in files)
    pairs = itertools.zip_longest(sources, targets, fillvalue=NO_LINE)
    for number, (source, target) in enumerate(pairs, start=1):
        if source == NO_LINE or target == NO_LINE:
            source_count = number - (source == NO_LINE) + sum(1 for _ in sources)
            target_count = number - (target == NO_LINE) + sum(1 for _ in targets)
            raise CorpusError(
                f"{files[0].name} has {source_count} lines but {files[1].name} has "
                f"{target_count}; expected as many targets as sources"
            )
        if source is None or target is None:
            yield Dropped(number, OVER_LONG)
        else:
            yield _parallel_row(number, source, target, files)


def _parallel_row(
    number: int, source: bytes, target: bytes, files: Sequence[TextFile]
) -> Row | _BadLine:
    file = files[0]
    try:
        source_text = decode_line(source)
        file = files[1]
        return Example(source_text, decode_line(target), number)
    except BadLineError as error:
        return _BadLine(file, error)

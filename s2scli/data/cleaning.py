"""Cleaning: how the text of a row is changed and which rows are dropped, one row at a time."""

import re
from collections.abc import Iterable, Iterator

from s2scli.data.example import Example
from s2scli.data.rows import BadLine, Dropped, Notice, ReadRow, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import CorpusError
from s2scli.normalization import Normalization, normalize

# white space, and characters without width that are invisible on their own
BLANK = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*")
HEADER_WORDS = frozenset(("source", "src", "target", "tgt", "trg", "input", "output", "text"))

EMPTY_SOURCE = "empty_source"
EMPTY_TARGET = "empty_target"
EMPTY_BOTH = "empty_both"
OVER_LONG = "over_long"
LENGTH_RATIO = "length_ratio"
DUPLICATE = "duplicate"


def tidy(text: str, normalization: Normalization) -> str:
    """Return `text` as a model reads it, in training and in translation.

    TAB and CR become spaces, white space at both ends is removed, and the text is normalised;
    everything else stays character for character.
    """
    if "\t" in text or "\r" in text:
        text = text.replace("\t", " ").replace("\r", " ")
    return normalize(text, normalization).strip()


def is_blank(text: str) -> bool:
    """Whether `text` shows nothing: no-break and zero-width spaces are white space too."""
    return BLANK.fullmatch(text) is not None


def looks_like_header(example: Example) -> bool:
    """Whether both sides of a file's first row are common names of columns."""
    return {example.source.strip().lower(), example.target.strip().lower()} <= HEADER_WORDS


def check_lines(
    rows: Iterable[ReadRow], file: str, *, skip_bad_lines: bool, skip_flags: str
) -> Iterator[Row]:
    """Drop bad lines, or refuse them, and give notice of a header.

    Args:
        rows: what a format has read.
        file: the name of the file of sources, for the notice.
        skip_bad_lines: drop all bad lines; otherwise only those that are over-long.
        skip_flags: the flags that set it, for messages.

    Raises:
        CorpusError: a line is bad and not to be dropped.
    """
    for row in rows:
        if isinstance(row, BadLine):
            if not skip_bad_lines and row.reason != OVER_LONG:
                raise CorpusError(f"{row} (or drop such lines with {skip_flags})")
            yield Dropped(row.line, row.reason)
            continue
        if isinstance(row, Example) and row.line == 1 and looks_like_header(row):
            yield Notice(
                f"{file}, line 1 looks like a header and is kept as a row; leave it out with: "
                "tail -n +2 FILE | s2s prepare -"
            )
        yield row


def tidy_rows(rows: Iterable[Row], normalization: Normalization) -> Iterator[Row]:
    """Tidy both sides of every example, and drop those with an empty side."""
    for row in rows:
        if not isinstance(row, Example):
            yield row
            continue
        source, target = tidy(row.source, normalization), tidy(row.target, normalization)
        reason = _emptiness(source, target)
        yield Dropped(row.line, reason) if reason else Example(source, target, row.line)


def limit_lengths(rows: Iterable[Row], settings: PrepareSettings) -> Iterator[Row]:
    """Drop examples with a side that is too long, or many times as long as the other."""
    for row in rows:
        if not isinstance(row, Example):
            yield row
            continue
        shorter, longer = sorted((len(row.source), len(row.target)))
        if longer > settings.max_length:
            yield Dropped(row.line, OVER_LONG)
        elif longer > settings.max_length_ratio * shorter:
            yield Dropped(row.line, LENGTH_RATIO)
        else:
            yield row


def _emptiness(source: str, target: str) -> str:
    if is_blank(source):
        return EMPTY_BOTH if is_blank(target) else EMPTY_SOURCE
    return EMPTY_TARGET if is_blank(target) else ""

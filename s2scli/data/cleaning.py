"""Cleaning: what is done to the text of a row, and which rows are dropped, one row at a time."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from s2scli.data.example import Example
from s2scli.data.settings import PrepareSettings
from s2scli.normalization import Normalization, normalize

# white space, and characters without width that show nothing on their own
BLANK = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*")
HEADER_WORDS = frozenset(("source", "src", "target", "tgt", "trg", "input", "output", "text"))

EMPTY_SOURCE = "empty_source"
EMPTY_TARGET = "empty_target"
EMPTY_BOTH = "empty_both"
OVER_LONG = "over_long"
LENGTH_RATIO = "length_ratio"
DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that yields no example, and why."""

    line: int
    reason: str


Row: TypeAlias = Example | Dropped


def tidy(text: str, normalization: Normalization) -> str:
    """Return `text` as the model is to see it: everything translated goes through this too.

    TAB and CR become blanks, white space at both ends goes, and the text is normalised; all
    else stays character for character.
    """
    if "\t" in text or "\r" in text:
        text = text.replace("\t", " ").replace("\r", " ")
    return normalize(text, normalization).strip()


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in `text`: no-break and zero-width spaces are nothing."""
    return BLANK.fullmatch(text) is not None


def looks_like_header(example: Example) -> bool:
    """Whether both sides of a file's first row are words that columns are named with."""
    return {example.source.strip().lower(), example.target.strip().lower()} <= HEADER_WORDS


def tidy_rows(rows: Iterable[Row], normalization: Normalization) -> Iterator[Row]:
    """Tidy both sides of every row, and drop the rows that have an empty one."""
    for row in rows:
        if isinstance(row, Dropped):
            yield row
            continue
        source, target = tidy(row.source, normalization), tidy(row.target, normalization)
        reason = _emptiness(source, target)
        yield Dropped(row.line, reason) if reason else Example(source, target, row.line)


def limit_lengths(rows: Iterable[Row], settings: PrepareSettings) -> Iterator[Row]:
    """Drop rows with a side that is over-long, or many times as long as the other."""
    for row in rows:
        if isinstance(row, Dropped):
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

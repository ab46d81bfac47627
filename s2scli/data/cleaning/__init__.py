"""Cleaning: changes the text of rows and drops rows.

Here is what every row goes through, one at a time. Each rule of its own is a module beside this.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from s2scli.data.example import Example
from s2scli.data.rows import BadLine, Dropped, Notice, ReadRow, Row
from s2scli.errors import CorpusError
from s2scli.normalization import Normalization, normalize
from s2scli.tags import tagged

# white space and invisible characters of zero width
BLANK = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*")
COLUMN_NAMES = "source src target tgt trg input output text sentence reference ref translation id"
LANGUAGE_NAMES = (
    "arabic bengali bulgarian catalan chinese croatian czech danish dutch english estonian finnish "
    "french german greek hebrew hindi hungarian icelandic indonesian irish italian japanese korean "
    "latin latvian lithuanian norwegian persian polish portuguese romanian russian serbian slovak "
    "slovenian spanish swahili swedish tamil thai turkish ukrainian urdu vietnamese "
    "ar bg bn ca cs da de el en es et fa fi fr ga he hi hr hu id is it ja ko lt lv nl no pl pt ro "
    "ru sk sl sr sv sw ta th tr uk ur vi zh eng deu ger fra fre spa ita por nld rus zho jpn"
)
HEADER_WORDS = frozenset(f"{COLUMN_NAMES} {LANGUAGE_NAMES}".split())
WORD_BOUNDARY = re.compile(r"[\s_.-]+")

EMPTY_SOURCE = "empty_source"
EMPTY_TARGET = "empty_target"
EMPTY_BOTH = "empty_both"
OVER_LONG = "over_long"
SHIFTED = "shifted"
LENGTH_RATIO = "length_ratio"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near_duplicate"
HEADER = "header"


def tidy(text: str, normalization: Normalization) -> str:
    """Return `text` as models read it, both in training and in translation.

    TAB and CR become spaces, the text is normalized, and white space at both ends is removed.
    Nothing else changes.
    """
    if "\t" in text or "\r" in text:
        text = text.replace("\t", " ").replace("\r", " ")
    return normalize(text, normalization).strip()


def is_blank(text: str) -> bool:
    """Whether `text` has only white space, including no-break and zero-width spaces."""
    return BLANK.fullmatch(text) is not None


def looks_like_header(example: Example) -> bool:
    """Whether both cells of a file's first row are common names of columns or languages.

    A cell can combine such names, as in `text_en`. Two equal language names are not a header.
    """
    cells = [_words(example.source), _words(example.target)]
    if not all(words and words <= HEADER_WORDS for words in cells):
        return False
    return cells[0] != cells[1] or cells[0] <= set(COLUMN_NAMES.split())


def _words(cell: str) -> set[str]:
    return set(filter(None, WORD_BOUNDARY.split(cell.strip().lower())))


def check_lines(
    rows: Iterable[ReadRow],
    file: str,
    *,
    header: bool | None,
    skip_bad_lines: bool,
    skip_flags: str,
) -> Iterator[Row]:
    """Drop the header of a file, and drop or refuse its bad lines.

    Args:
        rows: the rows read by a format.
        file: the name of the source file, for the notice.
        header: whether line 1 is a header; None detects a header and adds a notice if there is one.
        skip_bad_lines: whether to drop all bad lines; if false, only over-long lines are dropped.
        skip_flags: the flags that set `skip_bad_lines`, for messages.

    Raises:
        CorpusError: a line is bad, and `skip_bad_lines` is false.
    """
    for row in rows:
        if isinstance(row, Notice) or (isinstance(row, Example) and row.line > 1):
            yield row
        elif row.line == 1 and header:
            yield Dropped(1, HEADER)
        elif isinstance(row, BadLine):
            if not skip_bad_lines and row.reason != OVER_LONG:
                raise CorpusError(f"{row} (to drop such lines, use {skip_flags})")
            yield Dropped(row.line, row.reason)
        elif header is None and looks_like_header(row):
            yield Notice(f"{file}, line 1: skipped as a header; --no-header keeps it")
            yield Dropped(1, HEADER)
        else:
            yield row


def swap_sides(rows: Iterable[Row]) -> Iterator[Row]:
    """Swap source and target of every example."""
    for row in rows:
        if isinstance(row, Example):
            yield Example(row.target, row.source, row.line, tag=row.tag)
        else:
            yield row


def tidy_rows(
    rows: Iterable[Row], of_source: Normalization, of_target: Normalization
) -> Iterator[Row]:
    """Tidy both sides of every example, and drop those with an empty side."""
    for row in rows:
        if not isinstance(row, Example):
            yield row
            continue
        source, target = tidy(row.source, of_source), tidy(row.target, of_target)
        reason = emptiness(source, target)
        if reason:
            yield Dropped(row.line, reason, source, target)
        elif source is row.source and target is row.target:
            yield row  # a new one takes longer than all the rest
        else:
            yield Example(source, target, row.line, tag=row.tag)


def put_tags(rows: Iterable[Row], tag: str, used: set[str]) -> Iterator[Row]:
    """Put a tag in front of the source of every example: its own, or `tag` if it has none.

    Examples with the same text have the same group, whatever their tags. The tags are added to
    `used`.
    """
    for row in rows:
        if isinstance(row, Example):
            used.add(row.tag or tag)
            source = tagged(row.tag or tag, row.source)
            yield replace(row, source=source, group=row.group or row.source)
        else:
            yield row


def emptiness(source: str, target: str) -> str:
    """Return the reason to drop a pair with a blank side; "" if neither is blank."""
    if is_blank(source):
        return EMPTY_BOTH if is_blank(target) else EMPTY_SOURCE
    return EMPTY_TARGET if is_blank(target) else ""

"""N-best lists of `s2s translate --nbest`: text in the format of Moses, or JSON."""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from s2scli.data.codecs.cell import beside
from s2scli.data.lines import BadLineError, decode_line, folder_of, open_text
from s2scli.data.stream import LINE_BYTES
from s2scli.errors import CorpusError, UsageError

BAR = " ||| "


@dataclass(frozen=True)
class Listed:
    """One hypothesis of a list.

    Attributes:
        index: the index of its source, from 0.
        text: the hypothesis.
        score: its score.
    """

    index: int
    text: str
    score: float


@dataclass(frozen=True)
class Choices:
    """The hypotheses of one source.

    Attributes:
        index: the index of the source, from 0.
        source: the source.
        hypotheses: its hypotheses, in the order of the list.
        tag: the tag in front of the source; empty if there is none.
    """

    index: int
    source: str
    hypotheses: tuple[Listed, ...]
    tag: str = ""


def listed(line: str) -> Listed:
    """Read a line `index ||| hypothesis ||| score` of an n-best list.

    Features between hypothesis and score, as Moses writes them, and an alignment after the score
    are ignored.

    Raises:
        BadLineError: the line is not of this form.
    """
    index, *rest = line.split(BAR)
    numbers = [number for field in rest[1:] if (number := _number(field)) is not None]
    scored = len(rest) > 1 and numbers and math.isfinite(numbers[-1])
    source = _index(index)
    if not scored or source is None:
        fault = f"expected `index ||| hypothesis ||| score`, found {line!r:.60}"
        raise BadLineError("nbest", fault)
    return Listed(source, rest[0].strip(), numbers[-1])


def _index(field: str) -> int | None:
    """Return the index that a field holds; None if it holds none, or too many digits for Python."""
    try:
        return int(field) if field.strip().isdecimal() else None
    except ValueError:
        return None


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None


def read_sources(path: Path) -> list[str]:
    """Read the sources of an n-best list, plain or gzip, one per line.

    Relative paths of sounds and pictures are looked up beside the file first.

    Raises:
        MissingInputError: the file does not exist.
        CorpusError: a line is not UTF-8.
    """
    folder = folder_of(path)
    return [beside(text, folder) for _, text in _lines(path)]


def read_choices(path: Path, sources: Sequence[str] | None, tag: str = "") -> Iterator[Choices]:
    """Yield the hypotheses of each source of a list, in order; the list may be gzip or stdin.

    Args:
        path: the list: text in the format of Moses, or the records of `s2s translate --json`.
        sources: the sources of a list in text; None for JSON, which has them.
        tag: the tag in front of each source that has none in the list.

    Raises:
        UsageError: sources are given for a list in JSON.
        MissingInputError: the file does not exist.
        CorpusError: the file is empty, a line is damaged, or has no source.
    """
    lines = _lines(path)
    first = next(lines)
    whole = itertools.chain([first], lines)
    if first[1].startswith("{"):
        if sources is not None:
            raise UsageError(f"{path}: a list in JSON has its sources: leave --source out")
        yield from (_of_json(text, f"{path}, line {number}", tag) for number, text in whole)
        return
    if sources is None:
        raise CorpusError(
            f"{path}: a list in text has no sources; give the file of sources: --source FILE"
        )
    for choices in _of_text(path, whole, sources):
        yield replace(choices, tag=tag)


def _of_text(
    path: Path, lines: Iterable[tuple[int, str]], sources: Sequence[str]
) -> Iterator[Choices]:
    """Yield the hypotheses of a list in text; a source without any has an empty tuple."""
    expected = 0
    for index, group in itertools.groupby(_listed(path, lines), lambda one: one[1].index):
        hypotheses = tuple(group)
        where = f"{path}, line {hypotheses[0][0]}"
        if not expected <= index < len(sources):
            raise CorpusError(
                f"{where}: the hypotheses of source {index}; expected ascending indices below "
                f"{len(sources):,}, the number of sources"
            )
        for missing in range(expected, index):
            yield Choices(missing, sources[missing], ())
        yield Choices(index, sources[index], tuple(one for _, one in hypotheses))
        expected = index + 1
    for missing in range(expected, len(sources)):
        yield Choices(missing, sources[missing], ())


def _listed(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Listed]]:
    for number, text in lines:
        try:
            yield number, listed(text)
        except BadLineError as error:
            raise CorpusError(f"{path}, line {number}: {error}") from error


def _of_json(text: str, where: str, tag: str) -> Choices:
    """Read a record of `s2s translate --json`."""
    try:
        record = json.loads(text)
        index, source = int(record["line"]) - 1, str(record["source"])
        tag = str(record.get("tag", tag))
        hypotheses = tuple(
            Listed(index, str(one["text"]), float(one["score"])) for one in record["hypotheses"]
        )
        if not all(math.isfinite(one.score) for one in hypotheses):
            raise ValueError("a score is not finite")
    except (ValueError, OverflowError, TypeError, KeyError, RecursionError) as error:
        raise CorpusError(
            f"{where}: expected a record of s2s translate --json, found {text!r:.60}"
        ) from error
    return Choices(index, source, hypotheses, tag)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line."""
    with open_text(path) as file:
        for number, line in enumerate(file.lines(LINE_BYTES), start=1):
            try:
                if line is None:
                    raise BadLineError("over_long", f"longer than {LINE_BYTES:,} bytes")
                yield number, decode_line(line)
            except BadLineError as error:
                raise CorpusError(f"{path}, line {number}: {error}") from error

"""Word alignments as text: Pharaoh's format, and gold alignments with sure and possible links."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2scli.errors import CorpusError, UsageError

LINK = re.compile(r"(\d{1,9})([-p?])(\d{1,9})")

NAME = "AER"

Links = frozenset[tuple[int, int]]
"""Pairs (index of the source word, index of the target word), from 0."""


@dataclass(frozen=True)
class GoldLinks:
    """The gold alignment of one pair.

    Attributes:
        sure: the sure links.
        possible: the possible links; they include the sure ones.
    """

    sure: Links
    possible: Links


@dataclass(frozen=True)
class AlignmentFiles:
    """The files of alignments to score.

    Attributes:
        gold: the gold alignments.
        source: the tokenised sources, to align with a model.
        reference: the tokenised targets.
        hypothesis: alignments, scored without a model.
        first: the number of the first word in `gold`, 0 or 1; None finds out from the file.
    """

    gold: Path
    source: Path | None = None
    reference: Path | None = None
    hypothesis: Path | None = None
    first: int | None = None

    def check(self) -> None:
        """Check that the files belong together.

        Raises:
            UsageError: they do not; the message says what to give.
        """
        alone = self.hypothesis and not (self.source or self.reference)
        if not alone and (self.hypothesis or not (self.source and self.reference)):
            raise UsageError(
                "--aer needs --source FILE and --reference FILE with the tokenised pairs, or only "
                "--hypothesis FILE with their alignments"
            )


def read_links(lines: Sequence[str], name: str) -> list[Links]:
    """Read alignments in Pharaoh's format: `0-0 1-2`, counted from 0.

    A line may have text before the alignment, as `s2s translate --alignment` writes it: `text |||
    0-0 1-2`.

    Raises:
        CorpusError: a line holds something else.
    """
    ends = [line.rpartition("|||")[2] for line in lines]
    found = [_marked(line, name, number, "-") for number, line in enumerate(ends, 1)]
    return [frozenset((s, t) for s, _, t in links) for links in found]


def read_gold(lines: Sequence[str], name: str, first: int | None = None) -> list[GoldLinks]:
    """Read gold alignments: `i-j` is a sure link, `ipj` or `i?j` a possible one.

    Args:
        lines: one line for each pair.
        name: the name of the file, for messages.
        first: the number of the first word, 0 or 1. None means 0 if any word has the number 0, and
            otherwise 1.

    Raises:
        CorpusError: a line holds something else, a word has a number below `first`, or no link is
            sure.
    """
    found = [_marked(line, name, number, "-p?") for number, line in enumerate(lines, 1)]
    numbers = [number for links in found for s, _, t in links for number in (s, t)]
    base = first if first is not None else int(0 not in numbers)
    if base and 0 in numbers:
        line = next(n for n, links in enumerate(found, 1) for s, _, t in links if 0 in (s, t))
        raise CorpusError(f"{name}, line {line}: a word has the number 0, but they count from 1")
    gold = [_gold([(s - base, mark, t - base) for s, mark, t in links]) for links in found]
    if not any(one.sure for one in gold):
        raise CorpusError(f"{name}: no link is sure; expected links such as 1-1 (sure) or 2p3")
    return gold


def _gold(links: Sequence[tuple[int, str, int]]) -> GoldLinks:
    sure = frozenset((s, t) for s, mark, t in links if mark == "-")
    return GoldLinks(sure, sure | frozenset((s, t) for s, _, t in links))


def _marked(line: str, name: str, number: int, marks: str) -> list[tuple[int, str, int]]:
    links = []
    for word in line.split():
        found = LINK.fullmatch(word)
        if not found or found[2] not in marks:
            kinds = "links such as 0-1" if marks == "-" else "links such as 1-2 (sure) or 1p2"
            raise CorpusError(f"{name}, line {number}: found {word[:40]!r}, expected {kinds}")
        links.append((int(found[1]), found[2], int(found[3])))
    return links

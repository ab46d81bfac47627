"""Alignments as text, counted from 0 or from 1."""

from pathlib import Path
from typing import Any

import pytest

from s2scli.errors import CorpusError, UsageError
from s2scli.metrics.links import AlignmentFiles, GoldLinks, read_gold, read_links


def test_sure_links_are_possible_too() -> None:
    (first, second) = read_gold(["1-1 2p3 3?1", ""], "gold")
    assert first == GoldLinks(frozenset({(0, 0)}), frozenset({(0, 0), (1, 2), (2, 0)}))
    assert second == GoldLinks(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("lines", "first", "link"),
    [
        (["1-2"], None, (0, 1)),
        (["1-2", "0p1"], None, (1, 2)),
        (["1-2"], 0, (1, 2)),
        (["1-2"], 1, (0, 1)),
    ],
)
def test_the_first_word_is_found_out_or_given(
    lines: list[str], first: int | None, link: tuple[int, int]
) -> None:
    assert read_gold(lines, "gold", first)[0].sure == {link}


def test_alignments_may_follow_a_text() -> None:
    assert read_links(["a ||| b ||| 0-0 2-1", "1-0", ""], "found") == [
        frozenset({(0, 0), (2, 1)}),
        frozenset({(1, 0)}),
        frozenset(),
    ]


@pytest.mark.parametrize(
    ("lines", "first", "message"),
    [
        (["1-1", "1-1 x"], None, "gold, line 2: found 'x', expected links such as 1-2 (sure)"),
        (["1-1", "2-0"], 1, "gold, line 2: a word has the number 0, but they count from 1"),
        (["1p1"], None, "gold: no link is sure"),
    ],
)
def test_other_gold_is_refused(lines: list[str], first: int | None, message: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read_gold(lines, "gold", first)
    assert message in str(caught.value)


def test_possible_links_are_not_found() -> None:
    with pytest.raises(CorpusError, match="line 1: found '0p1', expected links such as 0-1"):
        read_links(["0p1"], "found")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"source": Path("s")},
        {"reference": Path("r")},
        {"source": Path("s"), "reference": Path("r"), "hypothesis": Path("h")},
        {"reference": Path("r"), "hypothesis": Path("h")},
    ],
)
def test_files_that_do_not_belong_together(files: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--source FILE and --reference FILE"):
        AlignmentFiles(Path("gold"), **files).check()
    AlignmentFiles(Path("gold"), hypothesis=Path("h")).check()
    AlignmentFiles(Path("gold"), Path("s"), Path("r")).check()

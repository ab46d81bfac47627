"""Laws of windows: every row in one of them, whatever the epoch, and from all over the file."""

from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data import shuffling
from s2scli.data.batching import Lengths
from s2scli.data.shuffling import read_blocks, survey

length = st.integers(0, 9)
corpora = st.lists(st.tuples(length, length), min_size=1, max_size=120)
sizes = st.integers(1, 9), st.integers(1, 9)  # rows of a block, blocks of a window


@dataclass
class Pairs:
    """Rows of given lengths; counts the releases."""

    sides: Lengths
    released: int = 0

    def __len__(self) -> int:
        return len(self.sides[0])

    def lengths(self, begin: int, end: int) -> tuple[Lengths, Lengths]:
        assert 0 <= begin <= end <= len(self)
        return self.sides[0, begin:end], self.sides[1, begin:end]

    def release(self) -> None:
        self.released += 1


def pairs(corpus: list[tuple[int, int]]) -> Pairs:
    return Pairs(np.array(corpus, np.int32).reshape(-1, 2).T)


@given(corpora, *sizes, st.integers(0, 2**63), st.integers(0, 9))
def test_every_row_to_train_on_is_in_one_window(
    corpus: list[tuple[int, int]], block: int, window: int, seed: int, epoch: int
) -> None:
    split = pairs(corpus)
    with patch.multiple(shuffling, BLOCK=block, WINDOW=window * block, BLOCKS_READ=3):
        blocks = survey(split, 7)
        found = [
            read_blocks(split, blocks.of_window(number, seed=seed, epoch=epoch))
            for number in range(blocks.windows)
        ]
        again = [blocks.of_window(number, seed=seed, epoch=epoch) for number in range(len(found))]
    rows = [row for window_rows, *_ in found for row in window_rows.tolist()]
    assert len(set(rows)) == len(rows)
    kept = [row for row, pair in enumerate(corpus) if max(pair) <= 7]
    assert set(kept) <= set(rows)
    for window_rows, sources, targets in found:
        assert set(window_rows.tolist()) & set(kept), "no window is empty"
        lengths = list(zip(sources.tolist(), targets.tolist(), strict=True))
        assert lengths == [corpus[row] for row in window_rows.tolist()]
    counts = [len(numbers) for numbers in again]
    assert max(counts, default=0) - min(counts, default=0) <= 1
    assert all(count <= window for count in counts)


@given(corpora, *sizes)
def test_the_survey_counts_what_is_trained_on(
    corpus: list[tuple[int, int]], block: int, window: int
) -> None:
    split = pairs(corpus)
    with patch.multiple(shuffling, BLOCK=block, WINDOW=window * block, BLOCKS_READ=3):
        blocks = survey(split, 7)
    kept = [(row, max(pair) + 1) for row, pair in enumerate(corpus) if max(pair) <= 7]
    assert blocks.kept == len(kept)
    assert blocks.tokens == sum(tokens for _, tokens in kept)
    assert blocks.numbers.tolist() == sorted({row // block for row, _ in kept})
    assert split.released == -(-len(corpus) // (3 * block))


def even(rows: int) -> Pairs:
    return Pairs(np.ones((2, rows), np.int32))


@pytest.mark.parametrize(("rows", "windows"), [(1, 1), (2**20, 1), (2**20 + 1, 2), (5_000_000, 5)])
def test_a_window_has_about_a_million_rows(rows: int, windows: int) -> None:
    assert survey(even(rows), 1).windows == windows


def test_a_single_window_is_read_in_order() -> None:
    blocks = survey(even(3000), 1)
    rows, _, _ = read_blocks(even(3000), blocks.of_window(0, seed=1, epoch=2))
    assert rows.tolist() == list(range(3000))


def test_epochs_and_seeds_have_other_windows() -> None:
    blocks = survey(even(5_000_000), 1)
    found = [blocks.of_window(0, seed=seed, epoch=epoch) for seed in (1, 2) for epoch in (0, 1)]
    for number, one in enumerate(found):
        for other in found[:number]:
            assert 0.1 < len(np.intersect1d(one, other)) / len(one) < 0.3  # one in five by chance


def test_each_window_reads_from_all_over_the_file() -> None:
    """A corpus of four domains, one after the other: each window holds about a quarter of each."""
    blocks = survey(even(5_000_000), 1)
    for window in range(blocks.windows):
        numbers = blocks.of_window(window, seed=1, epoch=0)
        shares = np.bincount(numbers * 4 // (blocks.numbers[-1] + 1)) / len(numbers)
        assert shares == pytest.approx(0.25, abs=0.05)

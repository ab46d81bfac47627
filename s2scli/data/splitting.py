"""Which split a row belongs to, by the hash of its source alone.

The rows with the smallest hashes are the test split, the next ones the valid split. Equal sources
have equal hashes, so a source is never in two splits; and most rows stay in their split when rows
are added to the corpus.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.errors import CorpusError

DEFAULT_SHARE = 0.1
MAX_DEFAULT_SIZE = 2000
MIN_ROWS_TO_SPLIT = 3


@dataclass(frozen=True)
class SplitSizes:
    """The rows wanted for the valid and the test split; 0 is none."""

    valid: int
    test: int


@dataclass(frozen=True)
class Split:
    """Hash limits: a row is test below `test_below`, else valid below `valid_below`, else train."""

    valid_below: int
    test_below: int

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that may have rows."""
        has_valid, has_test = self.valid_below > self.test_below, self.test_below > 0
        return ("train", *("valid",) * has_valid, *("test",) * has_test)

    def masks(self, hashes: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
        """Return for each of `names` a mask that is True at its rows, [rows]."""
        test = hashes < self.test_below
        valid = (hashes < self.valid_below) & ~test
        masks = {"train": ~(test | valid), "valid": valid, "test": test}
        return {name: masks[name] for name in self.names}


def default_size(rows: int) -> int:
    """Return the default size of a held-out split of a corpus of `rows` rows."""
    if rows < MIN_ROWS_TO_SPLIT:
        return 0
    return max(1, min(MAX_DEFAULT_SIZE, int(rows * DEFAULT_SHARE)))


def choose_split(hashes: Callable[[], Iterable[NDArray[np.int64]]], sizes: SplitSizes) -> Split:
    """Return the hash limits that give each held-out split the number of rows wanted.

    A split can have a few more, because all rows of a source stay together. Memory grows with
    the sizes, not with the corpus.

    Args:
        hashes: returns the hashes of all rows' sources, in batches.
        sizes: the numbers of rows wanted.

    Raises:
        CorpusError: nothing would be left to train on.
    """
    test_below = _limit(hashes(), sizes.test, 0)
    valid_below = _limit(hashes(), sizes.valid, test_below)
    largest = max(int(batch.max(initial=-1)) for batch in hashes())
    if largest < valid_below:
        raise CorpusError(
            f"nothing would be left to train on: {sizes.valid} rows for validation and "
            f"{sizes.test} for the test take the whole corpus (rows with the same source stay "
            "together); ask for less with --valid-size and --test-size"
        )
    return Split(valid_below, test_below)


def _limit(hashes: Iterable[NDArray[np.int64]], wanted: int, start: int) -> int:
    """Return the smallest limit with `wanted` hashes in [start, limit), or with all of them."""
    if not wanted:
        return start
    smallest = np.empty(0, np.int64)
    for batch in hashes:
        smallest = np.concatenate([smallest, batch[batch >= start]])
        if len(smallest) > wanted:
            smallest = np.partition(smallest, wanted - 1)[:wanted]
    return int(smallest.max(initial=start - 1)) + 1

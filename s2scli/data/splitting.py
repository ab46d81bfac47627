"""Assigns each row to a split by the hash of its source.

Rows with the smallest hashes form the test split, and the next ones the valid split. Equal sources
have equal hashes, so a source is never in two splits. When rows are added to the corpus, most rows
stay in their split.
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
    """The requested number of rows in the valid and test splits; 0 creates no split."""

    valid: int
    test: int


@dataclass(frozen=True)
class Split:
    """The hash limits of the splits.

    Attributes:
        valid_below: rows with a hash below this limit, and not in test, are in valid.
        test_below: rows with a hash below this limit are in test. All other rows are in train.
    """

    valid_below: int
    test_below: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the splits that can contain rows."""
        has_valid, has_test = self.valid_below > self.test_below, self.test_below > 0
        return ("train", *("valid",) * has_valid, *("test",) * has_test)

    def masks(self, hashes: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
        """Return a mask for each split in `names` that is True at its rows, [rows]."""
        test = hashes < self.test_below
        valid = (hashes < self.valid_below) & ~test
        masks = {"train": ~(test | valid), "valid": valid, "test": test}
        return {name: masks[name] for name in self.names}


def default_size(rows: int) -> int:
    """Return the default number of rows in a held-out split, for a corpus of `rows` rows."""
    if rows < MIN_ROWS_TO_SPLIT:
        return 0
    return max(1, min(MAX_DEFAULT_SIZE, int(rows * DEFAULT_SHARE)))


def choose_split(hashes: Callable[[], Iterable[NDArray[np.int64]]], sizes: SplitSizes) -> Split:
    """Return hash limits that give each held-out split the requested number of rows.

    A split can get a few more rows, because rows with the same source stay together. Memory use
    grows with the sizes of the held-out splits, not with the corpus.

    Args:
        hashes: returns the source hashes of all rows, in batches; it is called several times.
        sizes: the requested sizes.

    Raises:
        CorpusError: no rows would be left for training.
    """
    test_below = _limit(hashes(), sizes.test, 0)
    valid_below = _limit(hashes(), sizes.valid, test_below)
    largest = max(int(batch.max(initial=-1)) for batch in hashes())
    if largest < valid_below:
        raise CorpusError(
            f"no rows would be left for training: {sizes.valid} rows for validation and "
            f"{sizes.test} for testing take the whole corpus (rows with the same source stay "
            "together); reduce --valid-size and --test-size"
        )
    return Split(valid_below, test_below)


def _limit(hashes: Iterable[NDArray[np.int64]], wanted: int, start: int) -> int:
    """Return the smallest limit so that at least `wanted` hashes lie in [start, limit).

    If there are fewer hashes from `start` on, the limit includes all of them.
    """
    if not wanted:
        return start
    smallest = np.empty(0, np.int64)
    for batch in hashes:
        smallest = np.concatenate([smallest, batch[batch >= start]])
        if len(smallest) > wanted:
            smallest = np.partition(smallest, wanted - 1)[:wanted]
    return int(smallest.max(initial=start - 1)) + 1

"""Which examples go into which batch: by length, to a token budget, in an order of its own."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Lengths = NDArray[np.int32]


def plan_epoch(
    source_lengths: Lengths,
    target_lengths: Lengths,
    *,
    max_tokens: int,
    max_length: int,
    seed: int,
    epoch: int,
) -> list[Rows]:
    """Return the batches of one epoch, each as row numbers; a pure function of its arguments.

    Rows are shuffled, sorted by source and then target length (up and down by turns, so that
    neighbours differ little), cut where rows x longest side would pass `max_tokens`, and the
    batches are shuffled. Every row of at most `max_length` tokens stands in exactly one batch.

    Args:
        source_lengths: tokens of each source, without special tokens, [rows].
        target_lengths: tokens of each target, likewise, [rows].
        max_tokens: budget of a batch: rows x the longer of its longest source and target.
        max_length: rows with a longer side are left out, in tokens.
        seed: the run's seed.
        epoch: the epoch's number.
    """
    random = np.random.default_rng([seed, epoch])
    rows = random.permutation(np.flatnonzero(fits(source_lengths, target_lengths, max_length)))
    source, target = source_lengths[rows].astype(np.int64), target_lengths[rows].astype(np.int64)
    snake = np.where(source % 2 == 0, target, -target)
    order = np.lexsort((snake, source))
    rows, longest = rows[order], np.maximum(source[order], target[order]) + 1
    batches = [rows[start:end] for start, end in _cuts(longest, max_tokens)]
    return [batches[index] for index in random.permutation(len(batches))]


def fits(source_lengths: Lengths, target_lengths: Lengths, max_length: int) -> NDArray[np.bool_]:
    """Return which rows have no side longer than `max_length` tokens, [rows]."""
    return np.maximum(source_lengths, target_lengths) <= max_length


def _cuts(longest: NDArray[np.int64], max_tokens: int) -> list[tuple[int, int]]:
    """Return (start, end) of each batch: as many rows as the budget holds, at least one."""
    cuts, start = [], 0
    while start < len(longest):
        # rows x running maximum grows, so the first row past the budget is found by bisection;
        # a window of max_tokens rows is always enough, since every row costs a token or more
        window = longest[start : start + max_tokens]
        cost = np.maximum.accumulate(window) * np.arange(1, len(window) + 1)
        end = start + max(1, int(np.searchsorted(cost, max_tokens, side="right")))
        cuts.append((start, end))
        start = end
    return cuts

"""Divides examples into batches by length, within a token budget, in random order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PLAN = 2  # version of the algorithm; increase it when the same settings give different batches
PLAN_OF_WINDOWS = 3  # the same for splits of several windows
SLACK = 0.09  # the share of each batch that may stay empty
CHANCE = 0.02  # the maximum random increase of a cut's padding, so that epochs differ

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
    window: int = 0,
) -> list[Rows]:
    """Return the batches of one epoch, or of one window of it, each as row indices.

    Rows are shuffled, then sorted by source and target length. First, rows with equal lengths fill
    full batches, which need no padding. The remaining rows are divided in two, by source or target
    length, at the cut with the least padding, until each part fits in a batch. Finally, the batches
    are shuffled. Every row of at most `max_length` tokens is in exactly one batch. The result
    depends only on the arguments.

    Args:
        source_lengths: the number of tokens in each source, without special tokens, [rows].
        target_lengths: the number of tokens in each target, likewise, [rows].
        max_tokens: the token budget of a batch: its number of rows times its longest source or
            target, with the end token. A row that exceeds the budget alone is its own batch.
        max_length: rows with a source or target of more tokens are skipped.
        seed: the seed of the run.
        epoch: the number of the epoch.
        window: the number of the window in the epoch.
    """
    random = np.random.default_rng([seed, epoch, number_of(window)])
    rows = random.permutation(np.flatnonzero(fits(source_lengths, target_lengths, max_length)))
    rows = rows[np.lexsort((target_lengths[rows], source_lengths[rows]))]
    sides = np.stack([source_lengths[rows], target_lengths[rows]]).astype(np.int64) + 1
    alike, others = _fill(sides, max_tokens)
    batches = alike + [others[part] for part in _divide(sides[:, others], max_tokens, random)]
    return [rows[batches[index]] for index in random.permutation(len(batches))]


def number_of(window: int, batch: int = -1) -> int:
    """Return the number in an epoch's seeds of a batch in a window, or of the window's plan.

    These numbers differ, so that each use has its own random numbers.
    """
    return (window << 32) + batch + 1


def fits(source_lengths: Lengths, target_lengths: Lengths, max_length: int) -> NDArray[np.bool_]:
    """Return a mask that is True at rows with no side longer than `max_length`, [rows]."""
    return np.maximum(source_lengths, target_lengths) <= max_length


def _fill(sides: NDArray[np.int64], max_tokens: int) -> tuple[list[Rows], Rows]:
    """Return full batches of rows with equal lengths, and the remaining rows.

    Args:
        sides: source and target lengths with the end token, sorted, [2, rows].
        max_tokens: the token budget of a batch.
    """
    # the first row of each group of equal lengths
    first = np.flatnonzero(np.diff(sides, axis=1, prepend=0).any(axis=0))
    count = np.diff(first, append=sides.shape[1])
    size = np.maximum(1, max_tokens // sides[:, first].max(axis=0))  # rows per batch
    index = np.arange(sides.shape[1]) - np.repeat(first, count)  # index of a row in its group
    full = index < np.repeat(count - count % size, count)
    starts = np.flatnonzero((index % np.repeat(size, count) == 0)[full])
    return np.split(np.flatnonzero(full), starts)[1:], np.flatnonzero(~full)


def _divide(sides: NDArray[np.int64], max_tokens: int, random: np.random.Generator) -> list[Rows]:
    """Divide rows of different lengths into batches.

    Args:
        sides: source and target lengths, sorted, none above the budget, [2, rows].
        max_tokens: the token budget of a batch.
        random: the random generator, which makes the cuts differ between epochs.
    """
    batches: list[Rows] = []
    parts = [np.stack([np.arange(sides.shape[1]), np.lexsort(sides)])]  # by source, by target
    before = np.zeros(sides.shape[1], bool)
    while parts:
        part = parts.pop()
        if part.shape[1] * sides[:, part[0]].max(initial=0) <= max_tokens:
            batches.append(part[0])
            continue
        cut = _best_cut(sides, part, max_tokens, random)
        before[cut] = True
        chosen = before[part]
        before[cut] = False
        parts += [part[~chosen].reshape(2, -1), part[chosen].reshape(2, -1)]
    return batches if sides.size else []


def _best_cut(
    sides: NDArray[np.int64], part: NDArray[np.int64], max_tokens: int, random: np.random.Generator
) -> Rows:
    """Return the rows on one side of the cut with the least padding.

    The padding of a cut is its source padding as a share of the source tokens, plus the same for
    the target. If some cuts do not increase the number of batches needed, only these are
    considered.

    Args:
        sides: source and target lengths, [2, rows].
        part: the indices of the rows to cut, sorted by source and by target length, [2, N].
        max_tokens: the token budget of a batch.
        random: the random generator; it adds a little noise to the padding of each cut, so that
            the cuts differ between epochs.
    """
    along, across = sides[[[0], [1]], part], sides[[[1], [0]], part]  # [2, N]
    tokens = np.maximum(along, across).cumsum(axis=1)
    rows = np.arange(1, part.shape[1])
    total = tokens[0, -1]
    low = along[:, :-1], np.maximum.accumulate(across, axis=1)[:, :-1]
    high = along[:, -1:], np.maximum.accumulate(across[:, ::-1], axis=1)[:, -2::-1]
    needed = _needed(tokens[:, :-1], rows * np.maximum(*low), max_tokens)
    needed += _needed(total - tokens[:, :-1], rows[::-1] * np.maximum(*high), max_tokens)
    worth = 1 / along.sum(axis=1, keepdims=True), 1 / across.sum(axis=1, keepdims=True)  # [2, 1]
    padded = rows * (low[0] * worth[0] + low[1] * worth[1])  # [2, N - 1]
    padded += rows[::-1] * (high[0] * worth[0] + high[1] * worth[1])
    padded *= random.uniform(1, 1 + CHANCE, padded.shape)
    padded[needed > max(needed.min(), _needed(total, np.inf, max_tokens))] = np.inf
    order, last = divmod(int(padded.argmin()), padded.shape[1])
    return part[order, : last + 1]


def _needed(tokens: Any, padded: Any, max_tokens: int) -> Any:
    """Return an estimate of the number of batches for some rows.

    Each batch may waste the share `SLACK`, so that there are several cuts to choose from.

    Args:
        tokens: the total length of the rows, counting the longer side of each.
        padded: the total length if all rows are padded to one batch.
        max_tokens: the token budget of a batch.
    """
    several = np.ceil((tokens / max_tokens - SLACK) / (1 - SLACK))
    return np.where(padded <= max_tokens, 1, np.maximum(2, several))

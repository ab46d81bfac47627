"""Divides a split into windows of random blocks, so that an epoch is planned in bounded memory.

A block is a number of consecutive rows, which are read together from the file. Each epoch puts the
blocks in another random order and divides them into windows of equal size. A split of at most
`WINDOW` rows is a single window.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2scli.data.batching import Lengths, Rows, fits
from s2scli.data.mixing import PLAIN, Mixture

BLOCK, WINDOW = 2**10, 2**20  # rows
BLOCKS_READ = 64  # at once, by `survey`
ORDER = 2**64  # in a seed: the random numbers for the order of blocks, not those of a window


class Sized(Protocol):
    """Rows with lengths (`data.EncodedSplit` is one)."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def lengths(self, begin: int, end: int) -> tuple[Lengths, Lengths]:
        """Return the source and target lengths of the rows from `begin` to `end`, exclusive."""
        ...

    def release(self) -> None:
        """Release the memory of what was read so far; it is read again when needed."""
        ...


@dataclass(frozen=True)
class Blocks:
    """The blocks of a split that have rows to train on.

    Attributes:
        numbers: the indices of these blocks, ascending, [blocks].
        kept: the number of rows to train on.
        tokens: the total length of the longer side of the rows of an epoch, end tokens included.
        seen: the number of rows of an epoch, each as often as it is seen; rounded up.
    """

    numbers: NDArray[np.int64]
    kept: int
    tokens: int
    seen: int = 0

    @property
    def windows(self) -> int:
        """The number of windows of an epoch."""
        return -(-max(len(self.numbers) * BLOCK, self.seen) // WINDOW)

    def of_window(self, window: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the indices of the blocks of one window of an epoch, ascending."""
        if self.windows == 1:
            return self.numbers
        order = np.random.default_rng([seed, epoch, ORDER]).permutation(self.numbers)
        return np.sort(np.array_split(order, self.windows)[window])


def survey(split: Sized, max_length: int, mixture: Mixture = PLAIN) -> Blocks:
    """Read the lengths of all rows once, and return the blocks with rows to train on.

    Args:
        split: the rows.
        max_length: rows with a source or target of more tokens are left out.
        mixture: how often rows are seen.
    """
    counts, step = [np.empty(0, np.int64)], BLOCKS_READ * BLOCK
    tokens = seen = 0.0
    for begin in range(0, len(split), step):
        end = min(len(split), begin + step)
        lengths = split.lengths(begin, end)
        kept = fits(*lengths, max_length)
        times = mixture.times_of(np.arange(begin, end))[kept]
        tokens += float((np.maximum(*lengths)[kept].astype(np.int64) + 1) @ times)
        seen += float(times.sum())
        counts.append(np.add.reduceat(kept, np.arange(0, len(kept), BLOCK), dtype=np.int64))
        split.release()
    count = np.concatenate(counts)
    return Blocks(np.flatnonzero(count), int(count.sum()), int(tokens), math.ceil(seen))


def read_blocks(split: Sized, numbers: NDArray[np.int64]) -> tuple[Rows, Lengths, Lengths]:
    """Return the row indices in some blocks, and their source and target lengths, [rows]."""
    bounds = [(BLOCK * n, min(len(split), BLOCK * (n + 1))) for n in numbers.tolist()]
    rows = [np.arange(begin, end) for begin, end in bounds]
    sides = [split.lengths(begin, end) for begin, end in bounds]
    sources, targets = zip(*sides, strict=True)
    return np.concatenate(rows), np.concatenate(sources), np.concatenate(targets)

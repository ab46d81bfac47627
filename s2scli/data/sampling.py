"""Deterministic samples of a corpus of any size, in bounded memory."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from s2scli.data.store import TextSplit

GOLDEN_RATIO = 0.6180339887498949


def sample_rows(rows: int, size: int) -> NDArray[np.int64]:
    """Return `size` evenly spread row indices below `rows`, in order; all if there are fewer.

    The corpus is divided into `size` equal parts, and one row is taken from each part. Its offset
    changes from part to part, so that a regular order of the rows does not bias the sample.
    """
    if rows <= size:
        return np.arange(rows, dtype=np.int64)
    bounds = np.arange(size + 1, dtype=np.int64) * rows // size
    shifts = np.arange(size) * GOLDEN_RATIO % 1.0
    return bounds[:-1] + (shifts * np.diff(bounds)).astype(np.int64)


def sample_pairs(split: TextSplit, size: int) -> Iterator[tuple[str, str]]:
    """Yield at most `size` evenly spread pairs of a split, in order."""
    chosen, start = sample_rows(len(split), size), 0
    for batch in split.batches():
        end = start + batch.num_rows
        first, last = np.searchsorted(chosen, (start, end))
        some = batch.select(["source", "target"]).take(chosen[first:last] - start)
        yield from zip(some.column(0).to_pylist(), some.column(1).to_pylist(), strict=True)
        start = end

"""Finds stretches in which the two sides are shifted by one line against each other.

A missing line on one side moves all lines after it. In such a stretch the lengths of the sides do
not agree row by row, but they agree with the row before or after.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.data.cleaning.numbers import anchors, may_have_anchors
from s2scli.data.cleaning.pairs import Mask, Pairs, Scores

MIN_ROWS = 40
MAX_STRETCHES = 8  # in one batch
SHIFTED_CORRELATION, OWN_CORRELATION = 0.6, 0.3
# what a row must gain by the shift, in log length: rows that agree either way end a stretch
MARGIN = 0.05
MAX_ANCHOR_ROWS = 1000


@dataclass(frozen=True)
class Shift:
    """A stretch of rows whose sides are shifted.

    Attributes:
        start: the index of its first row.
        end: the index after its last row.
        offset: the target of row i stands at row i + offset: 1 or -1.
        correlation: that of the log lengths at this offset.
    """

    start: int
    end: int
    offset: int
    correlation: float


def find_shifts(pairs: Pairs) -> list[Shift]:
    """Return the stretches of a batch of consecutive rows in which the sides are shifted.

    A stretch has at least 40 rows. Its log lengths correlate less than 0.3 row by row and more
    than 0.6 at the offset, and the numbers and web addresses in it, if there are any, agree better
    at the offset. In a dialogue, where each target is the next source, nothing is shifted.
    """
    if len(pairs) < MIN_ROWS + 1 or _is_dialogue(pairs):
        return []
    source, target = (np.log(np.maximum(side.lengths, 1)) for side in pairs.sides)
    found = [
        shift
        for offset in (1, -1)
        for shift in _stretches(source, target, offset)
        if _anchors_agree(pairs, shift)
    ]
    return sorted(found, key=lambda shift: shift.start)


def shifted_rows(rows: int, shifts: list[Shift]) -> Mask:
    """Return a mask that is True in the stretches, [rows]."""
    mask = np.zeros(rows, np.bool_)
    for shift in shifts:
        mask[shift.start : shift.end] = True
    return mask


def _stretches(source: Scores, target: Scores, offset: int) -> Iterator[Shift]:
    """Yield the stretches at one offset, the clearest first.

    Args:
        source: the log length of each source, [rows].
        target: that of each target, [rows].
        offset: 1 or -1.
    """
    typical = np.median(target - source)
    own = np.abs(target - source - typical)
    other = np.abs(np.roll(target, -offset) - source - typical)
    gain = own - other - MARGIN
    gain[-1 if offset == 1 else 0] = -np.inf  # its target is not in the batch
    for _ in range(MAX_STRETCHES):
        start, end = _best_stretch(gain)
        if end - start < MIN_ROWS:
            return
        sources = source[start:end]
        there = _correlation(sources, target[start + offset : end + offset])
        here = _correlation(sources, target[start:end])
        if there < SHIFTED_CORRELATION or here > OWN_CORRELATION:
            return
        yield Shift(start, end, offset, there)
        gain[start:end] = -np.inf


def _best_stretch(gain: Scores) -> tuple[int, int]:
    """Return the start and the end of the stretch with the largest sum (Kadane's algorithm)."""
    sums = np.concatenate([[0.0], np.cumsum(np.maximum(gain, -1e6))])
    lowest = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lowest))
    start = int(np.argmin(sums[: end + 1]))
    return start, end


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the Pearson correlation; 0 if x or y is constant."""
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0


def _is_dialogue(pairs: Pairs) -> bool:
    """Whether most targets are the next source, or most sources the next target."""
    sources, targets = pairs.source.texts, pairs.target.texts
    for earlier, later in ((targets, sources), (sources, targets)):
        equal = sum(one == other for one, other in zip(earlier, later[1:], strict=False))
        if 2 * equal > len(pairs):
            return True
    return False


def _anchors_agree(pairs: Pairs, shift: Shift) -> bool:
    """Whether numbers and web addresses agree better at the offset than row by row, if any."""
    end = min(shift.end, shift.start + MAX_ANCHOR_ROWS)
    may = may_have_anchors(pairs.source)
    own = there = 0
    for row in range(shift.start, end):
        found = anchors(pairs.source.texts[row]) if may[row] else None
        if found:
            own += found == anchors(pairs.target.texts[row])
            there += found == anchors(pairs.target.texts[row + shift.offset])
    return there >= own

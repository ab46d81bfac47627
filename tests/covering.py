"""A small part of a large product of parameters, for factors of which few break a law together."""

import itertools
from collections.abc import Hashable, Mapping, Sequence

import pytest

Row = Mapping[str, Hashable]


def groups_of(row: Row, strength: int) -> set[frozenset[tuple[str, Hashable]]]:
    """Return every group of `strength` pairs (factor, value) of a row."""
    return {frozenset(group) for group in itertools.combinations(row.items(), strength)}


def covering(rows: Sequence[Row], strength: int = 2) -> list[int]:
    """Return the indices of a few rows that hold every pair of values that any row holds.

    Greedy: the row with the most pairs that are still missing comes next, the first of equals.

    Args:
        rows: the possible rows, each the value of every factor it has.
        strength: 2 covers pairs of values, 1 single values, 3 triples.
    """
    bits: dict[frozenset[tuple[str, Hashable]], int] = {}
    masks = [
        sum(1 << bits.setdefault(group, len(bits)) for group in groups_of(row, strength))
        for row in rows
    ]
    missing = (1 << len(bits)) - 1
    chosen = []
    while missing:
        gains = [(mask & missing).bit_count() for mask in masks]
        chosen.append(gains.index(max(gains)))
        missing &= ~masks[chosen[-1]]
    return sorted(chosen)


def slow_unless_covering(
    rows: Sequence[Row], strength: int = 2
) -> list[list[pytest.MarkDecorator]]:
    """Return the marks of each row, as a test parameter: `slow`, or none if it is in the cover."""
    chosen = covering(rows, strength)
    return [[] if index in chosen else [pytest.mark.slow] for index in range(len(rows))]

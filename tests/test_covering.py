import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.covering import Row, covering, groups_of, slow_unless_covering

ROWS = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), min_size=3), max_size=30
)


def all_groups(rows: Sequence[Row], strength: int) -> set[object]:
    return {group for row in rows for group in groups_of(row, strength)}


@given(ROWS, st.integers(1, 3))
def test_every_group_that_occurs_is_covered_by_distinct_rows(
    rows: list[Row], strength: int
) -> None:
    chosen = covering(rows, strength)
    some = [rows[index] for index in chosen]
    assert all_groups(some, strength) == all_groups(rows, strength)
    assert len(set(chosen)) == len(chosen)


def test_groups_are_those_of_a_plain_loop() -> None:
    row: Row = {"cell": "lstm", "attention": "dot", "layers": 2}
    pairs = [(one, row[one], two, row[two]) for one in row for two in row if one < two]
    assert groups_of(row, 2) == {frozenset({(a, x), (b, y)}) for a, x, b, y in pairs}
    assert groups_of(row, 1) == {frozenset({item}) for item in row.items()}


@pytest.mark.parametrize("sizes", [(4, 4, 6), (3, 3, 3, 3), (2, 5, 3, 2, 6)])
def test_a_product_shrinks_to_little_more_than_its_two_largest_factors(
    sizes: tuple[int, ...],
) -> None:
    product = itertools.product(*map(range, sizes))
    rows: list[Row] = [dict(zip("abcde", values, strict=False)) for values in product]
    *_, second, first = sorted(sizes)
    assert len(covering(rows, 1)) == first
    assert first * second <= len(covering(rows)) <= 1.5 * first * second


def test_pairs_that_cannot_be_are_not_asked_for() -> None:
    rows = [{"cell": "lstm", "kind": "dot"}, {"cell": "gru", "kind": "none"}]
    assert covering(rows) == [0, 1]
    assert covering([*rows, rows[0]]) == [0, 1]


def test_what_the_cover_leaves_out_is_slow() -> None:
    rows = [{"cell": "lstm"}, {"cell": "lstm"}, {"cell": "gru"}]
    marks = slow_unless_covering(rows, strength=1)
    assert [[mark.name for mark in each] for each in marks] == [[], ["slow"], []]

"""Where alignments are read: the layer and the step, and the criterion without gold links."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.report.alignment import align_pieces
from s2scli.report.attention import END
from s2scli.report.heads import AttentionHeads, choose_map
from s2scli.report.readings import (
    BEST_HEADS,
    Reading,
    every_reading,
    linked_pieces,
    mutual_information,
    one_step_later,
)
from tests.report.maps import make_heads


def one_late(size: int) -> AttentionHeads:
    """Two layers: the first attends to the source of the token read, the second to anything."""
    heads = make_heads(2, 1, size, size)
    weights = heads.weights.copy()
    weights[0, 0] = np.eye(size)[[size - 1, *range(size - 1)]]
    return AttentionHeads(heads.source_pieces, heads.target_pieces, weights)


def test_a_layer_that_attends_to_the_token_read_aligns_one_step_later() -> None:
    links = align_pieces(Reading(layer=1, later=True).map(one_late(5)))
    assert links[:-1] == [(index, index) for index in range(4)]
    same = align_pieces(Reading(layer=1).map(one_late(5)))
    assert same[1:] == [(index, index + 1) for index in range(4)]


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_end_tokens_keep_their_own_weights(ends: list[bool]) -> None:
    pieces = ["x" if not end else END for end in ends]
    weights = np.arange(len(pieces), dtype=np.float32)[:, None]
    for step, (piece, row) in enumerate(zip(pieces, one_step_later(weights, pieces), strict=True)):
        last = step == len(pieces) - 1
        assert row[0] == (step if piece == END or last else step + 1)


def test_a_model_that_writes_from_the_right_reads_a_token_one_step_later_on_the_left() -> None:
    pieces = ["a", "b", "c", END, "d", END]
    weights = np.arange(len(pieces), dtype=np.float32)[:, None]
    steps = one_step_later(weights, pieces, from_right=True)[:, 0].tolist()
    assert steps == [3, 0, 1, 3, 5, 5]


def test_the_map_is_that_of_choose_map_at_the_same_step() -> None:
    heads = make_heads(3, 2, 6, 5)
    for reading in every_reading(3):
        shown = reading.map(heads)
        plain = choose_map(heads, str(reading.layer) if reading.layer else None)
        expected = one_step_later(plain.weights, heads.target_pieces)
        np.testing.assert_array_equal(shown.weights, expected if reading.later else plain.weights)
        assert ("one step later" in shown.name) is reading.later


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_every_layer_can_be_read_at_two_steps(layers: int) -> None:
    readings = every_reading(layers)
    assert BEST_HEADS in readings
    assert len(set(readings)) == (2 if layers == 1 else 2 * layers + 2)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=30))
def test_mutual_information_is_the_difference_of_entropies(pairs: list[tuple[str, str]]) -> None:
    def entropy(values: list[object]) -> float:
        shares = [count / len(values) for count in Counter(values).values()]
        return -sum(share * math.log2(share) for share in shares)

    sources, targets = [s for s, _ in pairs], [t for _, t in pairs]
    expected = entropy([*sources]) + entropy([*targets]) - entropy([*pairs])
    assert mutual_information(pairs) == pytest.approx(expected, abs=1e-9)


def test_the_links_of_a_dictionary_have_more_information_than_those_of_neighbours() -> None:
    right = [("a", "x"), ("b", "y"), ("c", "z"), ("a", "x")]
    wrong = [("b", "x"), ("c", "y"), ("a", "z"), ("c", "x")]
    assert mutual_information(right) > mutual_information(wrong)


def test_linked_pieces_leave_the_end_of_the_target_out() -> None:
    found = linked_pieces(Reading(layer=1, later=True).map(one_late(3)))
    assert found == [("▁s0", "▁t0"), ("▁s1", "▁t1")]

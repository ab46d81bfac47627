"""Edit distance against the plainest of recursions, and the laws of a distance."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from s2scli.metrics.edit_distance import closest, edit_distance

symbols = st.lists(st.sampled_from("abc"), max_size=5)


def plain(one: Sequence[str], other: Sequence[str]) -> int:
    """Try the three edits at every index."""
    if not one or not other:
        return len(one) + len(other)
    kept = plain(one[1:], other[1:]) + (one[0] != other[0])
    return min(kept, plain(one[1:], other) + 1, plain(one, other[1:]) + 1)


@given(symbols, symbols)
def test_it_is_the_plain_recursion(one: list[str], other: list[str]) -> None:
    assert edit_distance(one, other) == plain(one, other) == edit_distance(other, one)


@given(symbols, symbols, symbols)
def test_a_way_round_is_never_shorter(one: list[str], two: list[str], three: list[str]) -> None:
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)


def test_symbols_are_whole() -> None:
    assert edit_distance(["AH0", "B"], ["AH1", "B"]) == 1
    assert edit_distance([], ["a", "b"]) == 2


@given(symbols, st.lists(symbols, min_size=1, max_size=4))
def test_the_closest_is_the_first_of_the_nearest(output: list[str], right: list[list[str]]) -> None:
    references = [" ".join(reference) for reference in right]
    distances = [plain(output, reference) for reference in right]
    expected = references[distances.index(min(distances))]
    assert closest(" ".join(output), references) == expected


def test_texts_without_spaces_are_compared_by_characters() -> None:
    references = ["今天天气很好", "我喜欢吃梨", "我不吃"]
    assert closest("我喜欢吃苹果", references) == references[1]
    assert closest("我不吃了", references) == references[2]


def test_long_sequences_need_more_than_a_machine_word() -> None:
    one, other = "ab" * 100, "ba" * 100
    assert edit_distance(one, other) == 2
    assert edit_distance(one, "") == edit_distance("", one) == 200
    assert edit_distance(one, one[:70] + "x" + one[71:]) == 1

import itertools

from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.dialogue import FIRST_TURN, join_history, join_turns
from s2scli.data.example import Example
from s2scli.data.rows import Dropped, Notice, Row


def pairs(turns: list[str], line: int = 1) -> list[Row]:
    """Return a dialogue as rows of a turn and its reply."""
    return [Example(a, b, n) for n, (a, b) in enumerate(itertools.pairwise(turns), line)]


def column(turns: list[str], line: int = 1) -> list[Row]:
    """Return a dialogue as rows of one turn."""
    return [Example(turn, turn, n) for n, turn in enumerate(turns, line)]


def joined(rows: list[Row], size: int, *, one_column: bool = False) -> list[tuple[str, str]]:
    found = join_history(rows, size, one_column=one_column)
    return [(row.source, row.target) for row in found if isinstance(row, Example)]


def test_the_last_turns_are_the_source() -> None:
    assert joined(pairs(["a", "b", "c", "d"]), 2) == [("a", "b"), ("a ␞ b", "c"), ("b ␞ c", "d")]
    assert joined(pairs(["a", "b", "c"]), 1) == [("a", "b"), ("b", "c")]


def test_another_turn_begins_another_dialogue() -> None:
    rows = [*pairs(["a", "b", "c"]), *pairs(["x", "y", "z"], 3)]
    assert joined(rows, 9) == [("a", "b"), ("a ␞ b", "c"), ("x", "y"), ("x ␞ y", "z")]


def test_a_dropped_row_ends_a_dialogue_and_a_notice_does_not() -> None:
    first, second, third = pairs(["a", "b", "c", "d"])
    rows = [first, Notice("n"), second, Dropped(3, "over_long"), third]
    assert joined(rows, 9) == [("a", "b"), ("a ␞ b", "c"), ("c", "d")]
    assert list(join_history(rows, 9, one_column=False))[1:4:2] == [rows[1], rows[3]]


@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), max_size=4),
    st.integers(1, 4),
)
def test_both_layouts_give_the_same_pairs(dialogues: list[list[str]], size: int) -> None:
    named = [[f"{n}{k}{turn}" for k, turn in enumerate(one)] for n, one in enumerate(dialogues)]
    in_pairs = [row for one in named for row in pairs(one)]
    in_lines = [row for one in named for row in (*column(one), Dropped(9, "empty_both"))]
    expected = [
        (join_turns(one[max(0, end - size) : end]), one[end])
        for one in named
        for end in range(1, len(one))
    ]
    assert joined(in_pairs, size) == joined(in_lines, size, one_column=True) == expected


def test_the_first_turn_of_one_column_is_accounted_for() -> None:
    found = list(join_history(column(["a", "b"]), 3, one_column=True))
    assert found == [Dropped(1, FIRST_TURN), Example("a", "b", 2, "a\tb")]


def test_a_dialogue_is_one_group() -> None:
    rows = [*pairs(["a", "b", "c", "d"]), *pairs(["a", "b", "e"]), *pairs(["a", "z"])]
    groups = [
        row.group for row in join_history(rows, 2, one_column=False) if isinstance(row, Example)
    ]
    assert groups == ["a\tb"] * 5 + ["a\tz"]
    lines = list(join_history(column(["a", "b", "c"]), 2, one_column=True))
    assert {row.group for row in lines if isinstance(row, Example)} == {"a\tb"}

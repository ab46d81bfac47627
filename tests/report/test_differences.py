"""An output beside its reference, word by word."""

from hypothesis import given
from hypothesis import strategies as st

from s2scli.report.differences import (
    Compared,
    Piece,
    compared_lines,
    differences,
    differences_html,
)
from s2scli.report.tables import make_table

WORDS = st.lists(st.sampled_from(["a", "b", "cc", "d"]), max_size=8).map(" ".join)


@given(WORDS, WORDS)
def test_each_side_is_whole_and_what_both_have_is_the_same(one: str, other: str) -> None:
    left, right = differences(one, other)
    assert " ".join(piece.text for piece in left) == one
    assert " ".join(piece.text for piece in right) == other
    both = [[piece.text for piece in side if piece.side == "both"] for side in (left, right)]
    assert both[0] == both[1]


def test_characters_are_compared_in_a_script_without_spaces() -> None:
    left, right = differences("一只狗", "一只猫")
    assert left == [Piece("both", "一只"), Piece("reference", "狗")]
    assert right == [Piece("both", "一只"), Piece("output", "猫")]


COMPARED = Compared("line 1", "s \x1b", "ein Hund rennt", "ein Mann rennt")


def test_spaces_and_marks_of_a_script_without_words_are_kept() -> None:
    left, right = differences("\u0e01\u0e34\u0e19 \u0e02", "\u0e01\u0e31\u0e19\u0e02")
    assert "".join(piece.text for piece in left) == "\u0e01\u0e34\u0e19 \u0e02"
    assert [piece.text for piece in left if piece.side == "reference"] == ["\u0e01\u0e34", " "]
    assert [piece.text for piece in right if piece.side == "output"] == ["\u0e01\u0e31"]


def test_marks_stand_for_colours_where_there_are_none() -> None:
    plain = [line.plain for line in compared_lines(COMPARED, colour=False)]
    assert plain == [
        "line 1",
        "source     s ␛",
        "reference  ein [-Hund-] rennt",
        "output     ein {+Mann+} rennt",
        "",
    ]
    coloured = list(compared_lines(COMPARED, colour=True))
    assert coloured[2].plain == "reference  ein Hund rennt"
    assert [str(span.style) for span in coloured[2].spans if str(span.style) != "none"] == ["red"]


def test_without_a_source_there_is_no_line_for_it() -> None:
    lines = [line.plain for line in compared_lines(Compared("f", "", "一只", "一"), colour=False)]
    assert lines == ["f", "reference  一[-只-]", "output     一", ""]


def test_the_page_has_both_sides_and_the_tables() -> None:
    hostile = Compared("<b>", "<script>", "a <script>", "a b")
    page = differences_html("title", [make_table(("h",), [("cell",)])], [COMPARED, hostile])
    assert "<del>Hund</del>" in page and "<ins>Mann</ins>" in page
    assert "<script" not in page and "<th>h</th>" in page and "<bdi>cell</bdi>" in page

import pytest

from s2scli.data.cleaning import (
    check_lines,
    is_blank,
    looks_like_header,
    swap_sides,
    tidy,
    tidy_rows,
)
from s2scli.data.example import Example
from s2scli.data.rows import BadLine, Dropped, Notice, ReadRow, Row
from s2scli.errors import CorpusError
from s2scli.normalization import Normalization


def test_text_is_kept_character_for_character() -> None:
    text = '"quote, <s> ▁ \\n nan \u200b\u202e\U0001f469\u200d\U0001f4bb e\u0301'
    assert tidy(text, "none") == text


def test_tab_and_carriage_return_become_blanks() -> None:
    assert tidy("\u3000a\tb\rc\u00a0\r", "none") == "a b c"


@pytest.mark.parametrize(
    ("form", "expected"), [("none", "A\u030a\ufb01"), ("nfc", "\u00c5\ufb01"), ("nfkc", "\u00c5fi")]
)
def test_normalization_is_the_one_asked_for(form: Normalization, expected: str) -> None:
    assert tidy("A\u030a\ufb01", form) == expected


@pytest.mark.parametrize("text", ["", " ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\x1c\r\u2028"])
def test_invisible_text_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", " .\u200b", "\x07", "\ufffd"])
def test_visible_text_is_not_blank(text: str) -> None:
    assert not is_blank(text)


def checked(*rows: ReadRow, skip: bool = False, header: bool | None = None) -> list[Row]:
    lines = check_lines(rows, "a.tsv", header=header, skip_bad_lines=skip, skip_flags="--skip")
    return list(lines)


def test_a_bad_line_is_refused_with_its_place_and_the_flag_or_dropped() -> None:
    bad = BadLine("folder/a.tsv", 2, "columns", "no TAB")
    with pytest.raises(CorpusError) as error:
        checked(Example("a", "b", 1), bad)
    assert str(error.value) == "folder/a.tsv, line 2: no TAB (to drop such lines, use --skip)"
    rows = checked(Example("a", "b", 1), bad, Example("c", "d", 3), skip=True)
    assert rows == [Example("a", "b", 1), Dropped(2, "columns"), Example("c", "d", 3)]


def test_an_over_long_line_is_always_dropped() -> None:
    bad = BadLine("a.tsv", 1, "over_long", "longer than 9 bytes")
    assert checked(bad) == checked(bad, skip=True) == [Dropped(1, "over_long")]


def test_a_header_is_left_out_with_a_notice_on_the_first_line_only() -> None:
    rows = checked(Example("source", "target", 1), Example("source", "target", 2))
    assert rows == [
        Notice("a.tsv, line 1: skipped as a header; --no-header keeps it"),
        Dropped(1, "header"),
        Example("source", "target", 2),
    ]


@pytest.mark.parametrize("row", [Example("a", "b", 1), BadLine("a.tsv", 1, "columns", "no TAB")])
def test_line_1_is_a_header_if_the_user_says_so(row: ReadRow) -> None:
    rest = Example("source", "target", 2)
    assert checked(row, rest, header=True) == [Dropped(1, "header"), rest]


def test_no_line_is_a_header_if_the_user_says_so() -> None:
    row = Example("source", "target", 1)
    assert checked(row, header=False) == [row]


def test_sides_are_exchanged_and_nothing_else() -> None:
    others: list[Row] = [Dropped(2, "columns"), Notice("as it is")]
    assert list(swap_sides([Example("a", "b", 1), *others])) == [Example("b", "a", 1), *others]


def test_rows_with_an_empty_side_are_dropped_by_reason() -> None:
    rows: list[Row] = [
        Example("a", "b", 1),
        Example(" ", "b", 2),
        Example("a", "\u200b", 3),
        Example("\u00a0", "", 4),
        Dropped(5, "columns"),
        Notice("as it is"),
    ]
    assert list(tidy_rows(rows, "none", "none")) == [
        Example("a", "b", 1),
        Dropped(2, "empty_source"),
        Dropped(3, "empty_target"),
        Dropped(4, "empty_both"),
        Dropped(5, "columns"),
        Notice("as it is"),
    ]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Source", " target"),
        ("English", "German"),
        ("id", "text_en"),
        ("en", "de"),
        ("Text", "text"),
    ],
)
def test_names_of_columns_and_languages_are_a_header(source: str, target: str) -> None:
    assert looks_like_header(Example(source, target, 1))


@pytest.mark.parametrize(
    ("source", "target"),
    [("The source", "Die Quelle"), ("no", "no"), ("German", "Deutsch"), ("", ""), ("en", "-")],
)
def test_a_pair_is_no_header(source: str, target: str) -> None:
    assert not looks_like_header(Example(source, target, 1))

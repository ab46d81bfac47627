import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.overlong import split_text, truncate_text


def fits(text: str) -> bool:
    return len(text.strip()) <= 10


def is_short(text: str) -> bool:
    return len(text) <= 10


@given(st.text(max_size=200))
def test_all_parts_fit_and_nothing_is_lost(text: str) -> None:
    parts = split_text(text, fits)
    assert all(fits(part) and part.strip() for part in parts)
    assert "".join(parts) == (text if text.strip() else "")


@given(st.text(max_size=200))
def test_the_longest_beginning_that_fits_is_kept(text: str) -> None:
    kept = truncate_text(text, is_short)
    assert text.startswith(kept)
    assert is_short(kept)
    if len(text) > 10 and " " not in text:
        assert len(kept) == 10


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one. two.", ("one. two.",)),
        ("a b. c d e", ("a b. c d e",)),
        ("We ran. We hid.", ("We ran. ", "We hid.")),
        ('He "ran." We hid.', ('He "ran." ', "We hid.")),
        ("我们跑了很远。我们躲起来了", ("我们跑了很远。", "我们躲起来了")),
        ("aaaa bbbb cccc", ("aaaa ", "bbbb cccc")),
        ("a" * 16, ("a" * 8, "a" * 8)),
        ("aaa, bb cc d", ("aaa, ", "bb cc d")),
        ("a bb ccc. dd e", ("a bb ccc. ", "dd e")),
        (" aaaa bbbb cccc ", (" aaaa ", "bbbb cccc ")),
        ("   ", ()),
    ],
)
def test_it_is_cut_where_it_hurts_least(text: str, parts: tuple[str, ...]) -> None:
    assert split_text(text, fits) == parts


def test_a_character_always_stands() -> None:
    assert split_text("ab", lambda text: False) == ("a", "b")


def test_words_are_not_torn() -> None:
    assert truncate_text("aaaa bbbb cccc", is_short) == "aaaa bbbb"
    assert truncate_text("aaaa bbbbb cccc", is_short) == "aaaa bbbbb"

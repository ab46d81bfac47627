import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from s2scli.report.cells import clusters, cut, isolated, label, pad, stacked
from tests.report.maps import PIECES


@given(st.lists(PIECES).map("".join), st.integers(2, 20))
def test_padding_gives_exactly_the_width(text: str, width: int) -> None:
    assert cell_len(pad(label(text), width)) == width


@given(st.lists(PIECES).map("".join), st.integers(2, 20))
def test_what_fits_is_not_cut(text: str, width: int) -> None:
    shown = label(text)
    kept = cut(shown, width)
    assert cell_len(kept) <= width
    assert (kept == shown) == (cell_len(shown) <= width)


@given(st.text())
def test_clusters_join_to_the_text(text: str) -> None:
    assert "".join(clusters(text)) == text


def test_marks_stay_with_their_letter() -> None:
    assert clusters("e\u0301狗a") == ["e\u0301", "狗", "a"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "␛[31m"),
        ("a\nb", "a␊b"),
        ("\u0301", "◌\u0301"),
        ("❤\ufe0f", "❤"),
        ("👩\u200d🚀", "👩🚀"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
    ],
)
def test_labels_are_visible_and_of_a_sure_width(text: str, shown: str) -> None:
    assert label(text) == shown


def test_only_right_to_left_text_is_isolated() -> None:
    assert isolated("שלום") == "\u2068שלום\u2069"
    assert isolated("peace 1") == "peace 1"


def test_labels_stand_on_the_last_line() -> None:
    assert stacked(["ab", "狗"], 2, 9) == [["a ", "  "], ["b ", "狗"]]


def test_tall_labels_are_shortened() -> None:
    assert stacked(["abcdef"], 1, 3) == [["a"], ["b"], ["⋮"]]

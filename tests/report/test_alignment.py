import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.report.alignment import (
    NO_WORD,
    align_pieces,
    align_words,
    pharaoh,
    shares_of,
    word_indices,
    word_weights,
)
from s2scli.report.attention import END, AttentionMap
from tests.folders import letters_of
from tests.report.maps import make_map


@pytest.mark.parametrize(
    ("pieces", "indices"),
    [
        (["▁A", "▁lit", "tle", "▁dog", ".", END], [0, 1, 1, 2, 2, NO_WORD]),
        (["▁", "dog", "s", "▁", "▁run"], [0, 0, 0, 1, 1]),
        (["c", "a", "t", "▁", "s", END], [0, 0, 0, 1, 1, NO_WORD]),
        (["▁", "一只", "小", END], [0, 0, 0, NO_WORD]),
        (["▁a▁b", "▁c"], [0, 2]),
        (["▁a", END, "▁b", END, "c"], [0, NO_WORD, 1, NO_WORD, 2]),
        (["▁a", "▁"], [0, 0]),
        (["▁", "▁▁"], [NO_WORD, NO_WORD]),
        ([END], [NO_WORD]),
    ],
)
def test_spaces_divide_words(pieces: list[str], indices: list[int]) -> None:
    assert word_indices(pieces) == indices


@given(st.lists(st.text("abc .ä", min_size=1, max_size=5), max_size=6))
def test_the_words_are_those_of_the_text(words: list[str]) -> None:
    text = " ".join(words).strip()
    pieces = LETTERS.pieces(text)
    indices = word_indices(pieces)
    assert max(indices, default=-1) + 1 == len(text.split())
    letters = [
        "".join(p for p, w in zip(pieces, indices, strict=True) if w == n) for n in {*indices}
    ]
    assert [word.replace("▁", "") for word in letters] == text.split()


LETTERS, _ = letters_of(["abc", "a b. ä c"] * 9).texts


def aligned(weights: list[list[float]]) -> AttentionMap:
    """Three source words and two target words, each side with its end token."""
    return AttentionMap(
        ("▁the", "▁do", "g", "▁runs", END),
        ("▁Hund", "▁läu", "ft", END),
        np.array(weights, np.float32),
    )


MAP = aligned(
    [
        [0.3, 0.2, 0.2, 0.0, 0.3],  # Hund: the pieces of dog together
        [0.0, 0.1, 0.0, 0.9, 0.0],
        [0.1, 0.0, 0.0, 0.3, 0.6],  # läuft: the mean of its pieces
        [1.0, 0.0, 0.0, 0.0, 0.0],  # the end token is no word
    ]
)


def test_weights_of_words_are_sums_over_the_source_and_means_over_the_target() -> None:
    shares = (shares_of(word_indices(pieces)) for pieces in (MAP.source_pieces, MAP.target_pieces))
    assert word_weights(MAP.weights, *shares) == pytest.approx(
        np.array([[0.3, 0.4, 0.0, 0.3], [0.05, 0.05, 0.6, 0.3]]), abs=1e-6
    )


def test_each_word_is_linked_to_its_best_or_to_all_that_reach_a_threshold() -> None:
    assert pharaoh(align_words(MAP)) == "1-0 2-1"
    assert pharaoh(align_words(MAP, 0.3)) == "0-0 1-0 2-1"
    assert pharaoh(align_words(MAP, 0.95)) == ""
    assert len(align_words(MAP, 0.0)) == 2 * 3


def test_a_word_that_looks_at_the_end_token_most_is_linked_to_none() -> None:
    lost = aligned([[0.2, 0.0, 0.0, 0.2, 0.6], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]])
    assert pharaoh(align_words(lost)) == "2-1"
    assert pharaoh(align_words(lost, 0.2)) == "0-0 2-0 2-1"


def test_pieces_are_linked_one_by_one() -> None:
    assert pharaoh(align_pieces(MAP)) == "0-0 3-1 4-2 0-3"


@pytest.mark.parametrize("source", [[END], ["▁a", END]])
@pytest.mark.parametrize("target", [[END], ["▁", END], ["▁x", "▁y"]])
def test_sides_without_words_have_no_links(source: list[str], target: list[str]) -> None:
    pairs = align_words(make_map(source, target), 0.0)
    assert len(pairs) == (len(source) - 1) * (2 if target == ["▁x", "▁y"] else 0)
    assert len(align_words(make_map(source, target))) <= len(target)


def test_a_word_that_no_piece_begins_is_linked_to_none() -> None:
    uniform = AttentionMap(("▁a", "▁b"), ("▁x▁y", "▁z"), np.full((2, 2), 0.5, np.float32))
    assert {target for _, target in align_words(uniform)} == {0, 2}


@given(st.integers(0, 99), st.floats(0, 1))
def test_a_higher_threshold_links_less(seed: int, threshold: float) -> None:
    attention = make_map(["▁a", "b", "▁c", "▁d", END], ["▁x", "▁y", "z", END], seed=seed)
    some, more = align_words(attention, threshold), align_words(attention, threshold / 2)
    assert set(some) <= set(more)

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.tokenizer.statistics import TextStatistics, count_pairs, shared_characters

TEXTS = st.lists(st.text("abc d", max_size=9), max_size=9)


def statistics(*texts: str) -> TextStatistics:
    return count_pairs([(text, "") for text in texts], len(texts))[0]


def test_counts() -> None:
    source, target = count_pairs([("a bb", "x"), ("a  cc", "yy")], rows=10)
    assert source.characters == Counter(a=2, b=2, c=2)
    assert source.words == Counter(a=2, bb=1, cc=1)
    assert target.words == Counter(x=1, yy=1)
    assert source.corpus_characters == 6 * 10 / 2
    assert (source.words_per_text, source.characters_per_text) == (2, 3)
    assert source.new_word_rate == 2 / 4


@given(TEXTS, TEXTS)
def test_sums_are_the_counts_of_all_texts(one: list[str], other: list[str]) -> None:
    both, together = statistics(*one) + statistics(*other), statistics(*one, *other)
    assert (both.texts, both.words, both.characters) == (
        together.texts,
        together.words,
        together.characters,
    )


@pytest.mark.parametrize(("coverage", "size"), [(1.0, 3), (0.9, 2), (0.89, 2), (0.6, 1), (0.01, 1)])
def test_alphabet(coverage: float, size: int) -> None:
    assert statistics("aaaaaa bbb c").alphabet(coverage) == size


def test_nothing_has_no_alphabet() -> None:
    assert statistics().alphabet(1.0) == 0
    assert statistics().new_word_rate == 0


def test_shared_characters() -> None:
    assert shared_characters(statistics("abab"), statistics("aabb")) == 1
    assert shared_characters(statistics("ab"), statistics("xy")) == 0
    assert shared_characters(statistics("aaab"), statistics("abbb")) == pytest.approx(0.5)
    assert shared_characters(statistics(), statistics("a")) == 0

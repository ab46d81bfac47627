"""Kinds of mistakes, each by an example that has it and one that does not."""

from collections import Counter

import pytest

from s2scli.metrics.mistakes import KINDS, count_words, kinds_of, rare_words
from s2scli.metrics.sentences import Sentence


def sentence(output: str, reference: str, source: str | None = None) -> Sentence:
    return Sentence(1, source, reference, output, 50.0)


@pytest.mark.parametrize(
    ("kind", "output", "reference", "source", "found"),
    [
        ("omission", "a b", "a b c d", "", True),
        ("omission", "a b c", "a b c d", "", False),
        ("omission", "", "a", "", True),
        ("repeat", "a b a b c", "a b c", "", True),
        ("repeat", "very very good", "very very good", "", False),
        ("repeat", "小小狗", "小狗", "", True),
        ("repeat", "a b c a b", "a b c", "", False),
        ("unknown", "a ⁇ b", "a b", "", True),
        ("unknown", "a ⁇ b", "a ⁇ b", "", False),
        ("copied", "der the dog runs", "der Hund rennt", "see the dog runs", True),
        ("copied", "the dog", "der Hund", "the dog", True),
        ("copied", "New York City x", "New York City", "New York City", False),
        ("copied", "a b", "c", "", False),
        ("number", "in 1,990", "in 1990", "", True),
        ("number", "2 of 10", "10 or 2", "", False),
    ],
)
def test_each_kind(kind: str, output: str, reference: str, source: str, found: bool) -> None:
    assert KINDS[kind].found(sentence(output, reference, source)) is found


def test_a_right_output_has_no_mistakes() -> None:
    for text in ("the dog runs 2 times", "一只小狗", ""):
        assert kinds_of(sentence(text, text, "x y z")) == ()


def test_an_output_can_have_several() -> None:
    found = kinds_of(sentence("a a 3", "b c d e f g h i j", None))
    assert found == ("omission", "repeat", "number")


def test_rare_words_occur_fewer_than_three_times() -> None:
    counts = count_words(["a b c", "a b", "a x", "c"] * 1, {"a", "b", "c"})
    assert counts == Counter({"a": 3, "b": 2, "c": 2})
    assert rare_words("a b b d", counts) == ("b", "d")

"""Sentences scored one by one, and examples of them."""

from dataclasses import asdict

import pytest

from s2scli.metrics.chrf import chrf, sentence_chrf
from s2scli.metrics.sentences import Example, Sentence, choose_examples, score_sentences
from s2scli.metrics.settings import MetricSettings

BARE = MetricSettings(resamples=0)


def sentences(*scores: float) -> list[Sentence]:
    return [Sentence(number, "s", "r", "o", score) for number, score in enumerate(scores, 1)]


def test_a_sentence_is_scored_as_a_test_set_of_one() -> None:
    outputs, references = ["the cat sat", "", "a dog"], ["the cat sat down", "b", "a dog"]
    pairs = zip(outputs, references, strict=True)
    expected = [chrf([output], [reference], BARE).value for output, reference in pairs]
    assert sentence_chrf(outputs, references) == pytest.approx(expected)


def test_what_belongs_together_stays_together() -> None:
    first, second = score_sentences([1, 4], ["s", None], ["r", "same"], ["x", "same"])
    assert first == Sentence(1, "s", "r", "x", 0.0)
    assert second == Sentence(4, None, "same", "same", second.chrf)
    assert second.chrf == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("count", "best", "middle", "worst"),
    [
        (0, [], [], []),
        (1, [], [], [4]),
        (2, [2], [], [4]),
        (3, [2], [1], [4]),
        (4, [2], [1], [3, 4]),
        (5, [2, 5], [1], [3, 4]),
        (99, [2, 5], [1], [3, 4]),
    ],
)
def test_examples_are_the_best_the_middle_and_the_worst(
    count: int, best: list[int], middle: list[int], worst: list[int]
) -> None:
    found = choose_examples(sentences(50, 100, 20, 0, 80), count)
    for rank, numbers in (("best", best), ("middle", middle), ("worst", worst)):
        assert [one.sentence.number for one in found if one.rank == rank] == numbers


def test_of_equal_scores_the_earlier_one_is_better() -> None:
    found = choose_examples(sentences(*[7.0] * 9), 3)
    assert [example.sentence.number for example in found] == [1, 5, 9]


def test_no_sentences_have_no_examples() -> None:
    assert choose_examples([], 3) == ()


def test_an_example_is_one_flat_object() -> None:
    (one,) = sentences(5.0)
    assert Example("worst", one).as_json() == {"rank": "worst", **asdict(one)}

import pytest

from s2scli.metrics.f1 import f1, f1_rule, normalized_words, sentence_f1
from s2scli.metrics.settings import MetricSettings


def test_case_punctuation_and_articles_do_not_count() -> None:
    assert normalized_words("The cat's A-team, an_ape!") == ["cat", "s", "team", "ape"]
    assert sentence_f1("A dog.", "the dog") == 1
    assert sentence_f1("the", "the") == sentence_f1("", "") == 0  # as in ParlAI: nothing in common


def test_words_count_as_often_as_in_both() -> None:
    assert sentence_f1("yes yes yes no", "yes yes maybe") == pytest.approx(2 * 2 / 7)
    score = f1(["yes yes yes no", "x"], ["yes yes maybe", "y"], MetricSettings(resamples=0))
    assert score.value == pytest.approx(100 * (4 / 7 + 0) / 2)


def test_of_several_references_the_best_one_counts() -> None:
    settings = MetricSettings()
    rule = f1_rule(settings)
    assert rule.choose(["a dog ran"], [("cat", "dog", "dog ran far")], settings) == ["dog ran far"]
    assert rule.name == "best-f1"

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.metrics.chrf import chrf, pairwise_chrf, sentence_chrf
from s2scli.metrics.settings import MetricSettings

HYPOTHESIS, REFERENCE = "the cat sat", "the mat sat down"


def plain_chrf2(hypothesis: str, reference: str) -> float:
    """Popović 2015: the F-score with beta 2 of mean precision and mean recall, spaces left out."""
    precisions, recalls = [], []
    for size in range(1, 7):
        grams = [
            Counter(text[start : start + size] for start in range(len(text) - size + 1))
            for text in (hypothesis.replace(" ", ""), reference.replace(" ", ""))
        ]
        common = (grams[0] & grams[1]).total()
        precisions.append(common / grams[0].total())
        recalls.append(common / grams[1].total())
    precision, recall = sum(precisions) / 6, sum(recalls) / 6
    return 100 * 5 * precision * recall / (4 * precision + recall)


def test_it_is_the_plain_formula() -> None:
    score = chrf([HYPOTHESIS], [REFERENCE], MetricSettings(resamples=0))
    assert score.value == pytest.approx(plain_chrf2(HYPOTHESIS, REFERENCE))


def test_recall_counts_more_than_precision() -> None:
    bare = MetricSettings(resamples=0)
    too_long = chrf([f"{REFERENCE} {REFERENCE}"], [REFERENCE], bare).value
    too_short = chrf([REFERENCE], [f"{REFERENCE} {REFERENCE}"], bare).value
    assert too_long > too_short


@given(st.lists(st.text("ab c狗", max_size=9), max_size=5))
def test_pairwise_chrf_is_that_of_each_pair(texts: list[str]) -> None:
    found = pairwise_chrf(texts)
    assert found.shape == (len(texts), len(texts))
    for row, output in enumerate(texts):
        expected = sentence_chrf([output] * len(texts), texts)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-6)

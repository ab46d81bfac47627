from collections import Counter

import pytest

from s2scli.metrics.chrf import chrf
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

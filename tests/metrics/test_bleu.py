import math

import pytest

from s2scli.metrics.bleu import bleu
from s2scli.metrics.settings import MetricSettings


def test_it_is_papinenis_formula() -> None:
    """One word of six differs: 5/6, 3/5, 1/4 and 0/3 of the n-grams are right."""
    score = bleu(["a b c x e f"], ["a b c d e f"], MetricSettings(resamples=0))
    precisions = (5 / 6, 3 / 5, 1 / 4, 1 / (2 * 3))  # smoothing: half a match where there is none
    assert score.value == pytest.approx(100 * math.prod(precisions) ** (1 / 4))


def test_short_outputs_pay_the_brevity_penalty() -> None:
    score = bleu(["a b c d e"], ["a b c d e f g"], MetricSettings(resamples=0))
    assert score.value == pytest.approx(100 * math.exp(1 - 7 / 5))


def test_the_signature_names_the_tokenization() -> None:
    assert "|tok:13a|" in bleu(["a cat"], ["a cat"]).signature
    assert "|tok:zh|" in bleu(["我"], ["我"]).signature
    assert "|tok:char|" in bleu(["茶をのむ"], ["茶をのむ"]).signature
    assert "|tok:intl|" in bleu(["我"], ["我"], MetricSettings(tokenize="intl")).signature

"""Minimum Bayes risk, by its definition with sacreBLEU's chrF."""

import math

import pytest

from s2scli.metrics.chrf import sentence_chrf
from s2scli.search.settings import SearchSettings
from s2scli.translation.results import TargetText
from s2scli.translation.risk import least_risk

TEXTS = {"the cat sat": -1.0, "a dog": -0.5, "the cat sits": -1.5, "the hat sat": -3.0}


def hypotheses() -> list[TargetText]:
    return [TargetText(text, score, (), (score, 0.0)) for text, score in TEXTS.items()]


@pytest.mark.parametrize("sample", [False, True])
def test_the_best_is_the_one_with_the_highest_expected_chrf(sample: bool) -> None:
    settings = SearchSettings(sample=sample, mbr=4, n_best=4)
    weights = {text: 1.0 if sample else math.exp(score) for text, score in TEXTS.items()}

    def expected(text: str) -> float:
        return sum(weight * sentence_chrf([text], [other])[0] for other, weight in weights.items())

    ranked = sorted(TEXTS, key=expected, reverse=True)
    texts = [one.text for one in hypotheses()]
    assert [texts[index] for index in least_risk(hypotheses(), settings)] == ranked
    best = least_risk(hypotheses(), settings.model_copy(update={"n_best": 1}))
    assert [texts[index] for index in best] == ranked[:1] and least_risk([], settings) == ()


def test_equals_keep_their_order() -> None:
    same = [TargetText("a", -1.0, (), (-1.0,)), TargetText("a", -2.0, (), (-2.0,))]
    assert least_risk(same, SearchSettings(sample=True, mbr=2, n_best=2)) == (0, 1)

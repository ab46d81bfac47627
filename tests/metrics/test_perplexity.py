import math

import pytest

from s2scli.metrics.perplexity import perplexity
from s2scli.metrics.settings import MetricSettings


def test_guessing_among_v_tokens_has_perplexity_v() -> None:
    score = perplexity([[-math.log(32)] * 3, [-math.log(32)] * 7])
    assert score.value == pytest.approx(32)
    assert score.interval == pytest.approx((32, 32))


def test_tokens_count_alike_whatever_their_sentence() -> None:
    scores = [[math.log(0.5)] * 9, [math.log(0.125)]]
    expected = 2 ** ((9 * 1 + 3) / 10)
    assert perplexity(scores, MetricSettings(resamples=0)).value == pytest.approx(expected)


def test_the_signature_says_what_is_counted() -> None:
    assert perplexity([[0.0]]).signature == "per:token|end:counted|bs:1000|seed:12345"

import math

import pytest

from s2scli.metrics.perplexity import perplexity
from s2scli.metrics.settings import MetricSettings
from tests.metrics.forced import Forced


def test_guessing_among_v_tokens_has_perplexity_v() -> None:
    score = perplexity([Forced([-math.log(32)] * 3), Forced([-math.log(32)] * 7)])
    assert score.value == pytest.approx(32)
    assert score.interval == pytest.approx((32, 32))


def test_tokens_count_alike_whatever_their_sentence() -> None:
    forced = [Forced([math.log(0.5)] * 9), Forced([math.log(0.125)])]
    expected = 2 ** ((9 * 1 + 3) / 10)
    assert perplexity(forced, MetricSettings(resamples=0)).value == pytest.approx(expected)


def test_the_signature_says_what_is_counted() -> None:
    assert perplexity([Forced([0.0])]).signature == "per:token|end:counted|bs:1000|seed:12345"

import math

import pytest

from s2scli.metrics.perplexity import byte_perplexity, perplexity, word_perplexity
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


def test_per_word_and_per_byte_the_tokens_do_not_matter() -> None:
    settings = MetricSettings(resamples=0)
    few, many = [Forced([-6.0], text="dé jà")], [Forced([-2.0] * 3, text="dé jà")]
    for metric, units in ((word_perplexity, 2 + 1), (byte_perplexity, 7 + 1)):
        expected = math.exp(6 / units)
        assert metric(few, settings).value == pytest.approx(expected)
        assert metric(many, settings).value == pytest.approx(expected)


def test_what_is_too_large_for_a_float_is_infinite_and_null_in_json() -> None:
    score = word_perplexity([Forced([-2000.0], text="x")] * 2, MetricSettings(resamples=40))
    assert score.value == math.inf and score.interval == (math.inf, math.inf)
    document = score.as_json()
    assert document["value"] is None and document["interval"] == [None, None]

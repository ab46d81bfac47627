import pytest

from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.token_accuracy import token_accuracy
from tests.metrics.forced import Forced


def hits(*choices: bool) -> Forced:
    return Forced(first_choices=choices)


def test_tokens_count_alike_whatever_their_sentence() -> None:
    score = token_accuracy([hits(True, True, False), hits(False)], MetricSettings(resamples=0))
    assert score.value == pytest.approx(50.0)
    assert score.interval is None
    assert score.signature == "forced:reference|end:counted"


def test_the_interval_holds_the_value() -> None:
    score = token_accuracy([hits(True, False, True)] * 20 + [hits(False)] * 20)
    low, high = score.interval or (0, 0)
    assert low < score.value < high

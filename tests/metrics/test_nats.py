import math

import pytest

from s2scli.metrics.nats import nats
from s2scli.metrics.settings import MetricSettings
from tests.metrics.forced import Forced


def test_nats_are_the_mean_over_whole_references() -> None:
    forced = [Forced([math.log(0.5)] * 3), Forced([math.log(0.25)])]
    expected = (3 * math.log(2) + 2 * math.log(2)) / 2
    assert nats(forced, MetricSettings(resamples=0)).value == pytest.approx(expected)


def test_references_count_alike_in_the_interval() -> None:
    low, high = nats([Forced([-1.0] * 4), Forced([-2.0, -2.0])]).interval or (0, 0)
    assert low == high == pytest.approx(4)


def test_the_signature_says_that_the_end_is_counted() -> None:
    assert nats([Forced([0.0])]).signature == "per:picture|end:counted|bs:1000|seed:12345"


def test_systems_are_compared_on_the_same_resampled_references() -> None:
    score = nats([Forced([-1.0]), Forced([-3.0])])
    assert set(score.resampled) == {1.0, 2.0, 3.0} and len(score.resampled) == 1000

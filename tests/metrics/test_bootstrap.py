import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.metrics.bootstrap import bootstrap_signature, ratio_interval


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    values = [float(n % 10) for n in range(1000)]
    low, high = ratio_interval(values, [1.0] * 1000, 4000) or (0, 0)
    half = 1.96 * math.sqrt(8.25 / 1000)  # the variance of 0..9 is 8.25
    assert (low, high) == pytest.approx((4.5 - half, 4.5 + half), abs=0.02)


def test_more_sentences_make_it_narrower() -> None:
    few = ratio_interval([0.0, 1.0] * 20, [1.0] * 40, 1000) or (0, 0)
    many = ratio_interval([0.0, 1.0] * 2000, [1.0] * 4000, 1000) or (0, 0)
    assert many[1] - many[0] < (few[1] - few[0]) / 5


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_equal_ratios_leave_no_doubt(lengths: list[int]) -> None:
    interval = ratio_interval([2.0 * n for n in lengths], [float(n) for n in lengths], 40)
    assert interval == pytest.approx((2.0, 2.0))


def test_too_few_resamples_give_no_interval_and_leave_no_trace() -> None:
    assert ratio_interval([1.0], [1.0], 39) is None
    assert bootstrap_signature(39) == ""

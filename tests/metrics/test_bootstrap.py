import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.metrics.bootstrap import (
    SEED,
    bootstrap_signature,
    interval_of,
    paired_p,
    ratio_interval,
    resampled_ratios,
)


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


def plain_p(best: list[float], other: list[float], resamples: int) -> float:
    """Koehn's test in so many words, for systems whose score is a mean."""
    generator = np.random.default_rng(SEED)
    not_won = 1
    for _ in range(resamples):
        rows = list(generator.integers(len(best), size=len(best)))
        if sum(best[row] for row in rows) <= sum(other[row] for row in rows):
            not_won += 1
    return not_won / (resamples + 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
@settings(max_examples=30)
def test_paired_p_is_that_of_the_plain_test(pairs: list[tuple[int, int]]) -> None:
    best, other = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    ones = [1.0] * len(pairs)
    scores = [resampled_ratios(values, ones, 50) for values in (best, other)]
    assert paired_p(*scores) == pytest.approx(plain_p(best, other, 50))


def test_p_by_hand() -> None:
    assert paired_p([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) == pytest.approx(3 / 4)
    assert paired_p([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], higher_is_better=False) == pytest.approx(
        3 / 4
    )
    assert paired_p([3.0] * 99, [2.0] * 99) == pytest.approx(0.01), "never 0"
    assert paired_p([2.0] * 99, [3.0] * 99, higher_is_better=False) == pytest.approx(0.01)
    assert paired_p([1.0] * 99, [1.0] * 99) == 1, "a system is no better than itself"
    assert paired_p((), ()) is None


def test_paired_draws_see_a_small_lead_that_intervals_do_not() -> None:
    generator = np.random.default_rng(0)
    worse = generator.normal(50, 20, size=500)
    better = worse + generator.normal(0.5, 1, size=500)  # a little better nearly everywhere
    ones = [1.0] * 500
    first, second = (resampled_ratios(values.tolist(), ones, 1000) for values in (better, worse))
    low, _ = interval_of(first) or (0, 0)
    _, high = interval_of(second) or (0, 0)
    assert low < high, "the intervals overlap"
    assert (paired_p(first, second) or 1) < 0.01

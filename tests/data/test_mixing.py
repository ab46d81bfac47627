"""How often rows are seen: by weights, and by the formula of temperature sampling."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.data.mixing import LEAST, MOST, PLAIN, Mixture, times_by

sizes = st.lists(st.integers(1, 10_000), min_size=1, max_size=6)


@settings(max_examples=30)
@given(sizes)
def test_weights_alone_are_the_times(rows: list[int]) -> None:
    weights = [1.0 + number / 2 for number in range(len(rows))]
    assert times_by(rows, weights, 1.0) == tuple(weights)


@settings(max_examples=30)
@given(sizes, st.floats(1.1, 100))
def test_the_shares_of_an_epoch_are_powers_of_the_sizes(rows: list[int], t: float) -> None:
    times = times_by(rows, [1.0] * len(rows), t)
    total = sum(n ** (1 / t) for n in rows)
    for n, one in zip(rows, times, strict=True):
        expected = sum(rows) * n ** (1 / t) / total / n
        assert one == pytest.approx(min(max(expected, LEAST), MOST), rel=1e-3, abs=1e-6)


def test_a_corpus_without_rows_has_no_share() -> None:
    assert times_by([10, 0], [1.0, 1.0], 5.0)[0] == 1.0


def test_rows_belong_to_the_corpus_they_lie_in() -> None:
    mixture = Mixture((3, 0, 2), (1.0, 7.0, 2.5))
    assert mixture.times_of(np.arange(5)).tolist() == [1, 1, 1, 2.5, 2.5]
    assert PLAIN.times_of(np.arange(3)).tolist() == [1, 1, 1]


def test_draws_have_the_mean_that_was_asked_for() -> None:
    mixture, rows = Mixture((5000, 5000), (0.3, 2.25)), np.arange(10_000)
    counts = mixture.draw(rows, np.ones(10_000, np.bool_), np.random.default_rng(1))
    assert set(counts[:5000]) == {0, 1} and set(counts[5000:]) == {2, 3}
    for part, times in ((counts[:5000], 0.3), (counts[5000:], 2.25)):
        assert part.mean() == pytest.approx(times, abs=4 * math.sqrt(0.25 / 5000))


def test_at_least_one_usable_row_is_drawn() -> None:
    mixture, usable = Mixture((4,), (LEAST,)), np.array([False, False, True, False])
    for seed in range(20):
        counts = mixture.draw(np.arange(4), usable, np.random.default_rng(seed))
        assert counts[2] == 1

import math

import pytest
import torch

from s2scli.search.ranking import best_possible, coverage, normalise, rank
from s2scli.search.settings import SearchSettings


@pytest.mark.parametrize(("exponent", "expected"), [(0.0, -6.0), (1.0, -1.5), (0.5, -3.0)])
def test_normalises_by_the_formula(exponent: float, expected: float) -> None:
    assert float(normalise(torch.tensor(-6.0), 4, exponent)) == pytest.approx(expected)


@pytest.mark.parametrize(("length", "exponent"), [(1, 0.6), (7, 0.6), (25, 1.0), (3, 0.0)])
def test_an_offset_of_five_is_the_penalty_of_gnmt(length: int, exponent: float) -> None:
    penalty = (5 + length) ** exponent / (5 + 1) ** exponent  # Wu et al. 2016, eq. 14
    found = normalise(torch.tensor(-6.0), length, exponent, 5.0)
    assert float(found) == pytest.approx(-6.0 / penalty)
    assert normalise(-6.0, length, exponent, 5.0) == pytest.approx(-6.0 / penalty)


@pytest.mark.parametrize("offset", [0.0, 5.0])
@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0])
def test_no_continuation_beats_the_bound(exponent: float, offset: float) -> None:
    so_far, longest = torch.tensor([-3.0]), torch.tensor([12])
    settings = SearchSettings(length_penalty=exponent, length_offset=offset)
    bound = best_possible(so_far, 4, longest, settings)
    for length in range(5, 13):
        for loss in (0.0, 0.1, 5.0):
            assert normalise(so_far - loss, length, exponent, offset) <= bound + 1e-6


@pytest.mark.parametrize("reward", [-0.3, 0.0, 0.7])
def test_a_word_reward_is_added_for_each_token_and_to_the_bound(reward: float) -> None:
    settings = SearchSettings(length_penalty=0.5, word_reward=reward)
    assert rank(-6.0, 4, settings) == pytest.approx(-3.0 + 4 * reward)
    so_far, longest = torch.tensor([-3.0]), torch.tensor([12])
    bound = best_possible(so_far, 4, longest, settings)
    for length in range(5, 13):
        assert rank(so_far, length, settings) <= bound + 1e-6


def test_the_coverage_penalty_is_that_of_gnmt() -> None:
    torch.manual_seed(0)
    weights = torch.rand(3, 4, 2, 5).softmax(-1)
    positions = torch.tensor([5, 3, 4])
    found = coverage(weights, positions)
    for row, size in enumerate(positions.tolist()):
        expected = 0.0
        for i in range(size):  # Wu et al. 2016, eq. 14
            received = sum(float(weights[row, j, :, i].mean()) for j in range(4))
            expected += math.log(min(received, 1.0))
        assert float(found[row]) == pytest.approx(expected, abs=1e-5)
    assert float(coverage(torch.zeros(1, 2, 1, 1), torch.tensor([1]))) == pytest.approx(
        math.log(1e-9)
    )

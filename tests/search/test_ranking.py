import pytest
import torch

from s2scli.search.ranking import best_possible, normalise


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
    bound = best_possible(so_far, 4, longest, exponent, offset)
    for length in range(5, 13):
        for loss in (0.0, 0.1, 5.0):
            assert normalise(so_far - loss, length, exponent, offset) <= bound + 1e-6

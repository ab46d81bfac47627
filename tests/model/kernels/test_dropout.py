"""Dropout keeps its rate, its mean, and the independence of places and of calls."""

import pytest
import torch

from s2scli.model.kernels.dropout import Dropout, drop, keep_mask

ROWS, WIDTH = 400, 250
PLACES = ROWS * WIDTH


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("probability", [0.01, 0.1, 0.3, 0.5, 0.9])
def test_the_rate_and_the_scale(probability: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    found = drop(torch.ones(ROWS, WIDTH, dtype=dtype), probability)
    deviation = (probability * (1 - probability) / PLACES) ** 0.5
    assert float((found == 0).float().mean()) == pytest.approx(probability, abs=4 * deviation)
    scale = 1 / (1 - probability)
    kept = found[found != 0].float()
    assert kept.min() == kept.max() == pytest.approx(scale, rel=5e-3)


def test_places_are_independent_of_their_neighbours_and_of_the_next_call() -> None:
    torch.manual_seed(0)
    first, second = (
        (keep_mask(torch.ones(ROWS, WIDTH), 0.3) == 0).float().flatten() for _ in range(2)
    )
    centred = first - first.mean()
    for shift in (1, 2, 3, 4, 8, WIDTH):  # four places share one draw
        together = float((centred[shift:] * centred[:-shift]).mean() / centred.square().mean())
        assert abs(together) < 4 / PLACES**0.5, shift
    other = second - second.mean()
    assert abs(float((centred * other).mean() / centred.square().mean())) < 4 / PLACES**0.5


def test_the_gradient_goes_where_the_value_went() -> None:
    values = torch.randn(5, 7, requires_grad=True)
    found = Dropout(0.4)(values)
    torch.autograd.backward(found.sum())
    assert values.grad is not None
    torch.testing.assert_close(found, values * values.grad)


def test_the_generator_decides() -> None:
    layer, values = Dropout(0.4), torch.randn(3, 11)
    torch.manual_seed(3)
    first, state = layer(values), torch.get_rng_state()
    second = layer(values)
    torch.manual_seed(3)
    assert layer(values).equal(first)
    torch.set_rng_state(state)
    assert layer(values).equal(second) and not second.equal(first)


def test_nothing_is_dropped_in_evaluation_or_at_a_rate_of_zero() -> None:
    values = torch.randn(4, 4)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values

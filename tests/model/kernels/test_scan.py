"""The scan against a loop of plain operations, forwards and backwards."""

import torch
from torch import Tensor

from s2scli.model.kernels.scan import scan


def numbers(steps: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    shapes = ((steps, 2, 3), (steps, 2, 3), (2, 3))
    found = [torch.rand(shape, dtype=torch.double, requires_grad=True) for shape in shapes]
    return found[0], found[1], found[2]


def test_it_is_the_recurrence_with_its_gradient() -> None:
    decays, values, start = numbers(5)
    state, states = start, []
    for step in range(5):
        state = decays[step] * state + values[step]
        states.append(state)
    plain, ours = torch.stack(states), scan(decays, values, start)
    assert torch.allclose(ours, plain, rtol=1e-12, atol=0)
    weights = torch.rand_like(plain)
    for own, theirs in zip(
        torch.autograd.grad((ours * weights).sum(), (decays, values, start)),
        torch.autograd.grad((plain * weights).sum(), (decays, values, start)),
        strict=True,
    ):
        assert torch.allclose(own, theirs, rtol=1e-12, atol=0)


def test_one_scan_is_two_that_follow_each_other() -> None:
    decays, values, start = numbers(6)
    first = scan(decays[:4], values[:4], start)
    then = scan(decays[4:], values[4:], first[-1])
    assert torch.equal(torch.cat([first, then]), scan(decays, values, start))

"""Chosen log-probabilities, and their gradients, are those of all logits."""

import pytest
import torch
from torch import nn

from s2scli.model.kernels import cross_entropy
from s2scli.model.kernels.chosen_log_probs import chosen_log_probs


@pytest.mark.parametrize("at_once", [2, 512])
def test_they_are_those_of_a_log_softmax(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "ROWS_AT_ONCE", at_once)
    torch.manual_seed(0)
    layer = nn.Linear(3, 7).double()
    hidden = torch.randn(5, 3).double().requires_grad_()
    columns = torch.tensor([[0, 6], [1, 1], [2, 3], [4, 4], [5, 0]])
    scale, other = torch.randn(5, 2).double(), torch.randn(5).double()
    wanted = (hidden, layer.weight, layer.bias)
    found = chosen_log_probs(hidden, layer, columns)
    log_probs = layer(hidden).log_softmax(-1)
    expected = log_probs.gather(-1, columns), log_probs.mean(-1)
    gradients = []
    for chosen, mean in (found, expected):
        loss = (chosen * scale).sum() + (mean * other).sum()
        gradients.append(torch.autograd.grad(loss, wanted))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*gradients)


def test_under_autocast_they_are_near() -> None:
    torch.manual_seed(0)
    layer, hidden = nn.Linear(8, 20), torch.randn(6, 8, requires_grad=True)
    columns = torch.arange(6)[:, None]
    exact = torch.autograd.grad(chosen_log_probs(hidden, layer, columns)[0].sum(), hidden)
    with torch.autocast("cpu", torch.bfloat16):
        chosen, _ = chosen_log_probs(hidden, layer, columns)
    torch.testing.assert_close(torch.autograd.grad(chosen.sum(), hidden), exact, rtol=0.1, atol=0.1)

"""The output layer and its loss in one, against plain layers and a loop over the formula."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from s2scli.model.kernels import cross_entropy
from s2scli.model.kernels.cross_entropy import label_smoothed_cross_entropy
from tests.oracles import smoothed_cross_entropy

TOKENS, VOCAB_SIZE = 5, 7


def identity() -> nn.Linear:
    """Return the layer that says what it reads."""
    layer = nn.Linear(VOCAB_SIZE, VOCAB_SIZE)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_label_smoothing_is_its_formula(smoothing: float) -> None:
    logits = torch.randn(TOKENS, VOCAB_SIZE, generator=torch.Generator().manual_seed(1)) * 3
    target = [0, 6, 3, 3, 1]
    found = label_smoothed_cross_entropy(logits, identity(), torch.tensor(target), smoothing)
    expected = smoothed_cross_entropy(logits.double().numpy(), target, smoothing)
    assert float(found.detach()) == pytest.approx(expected, 1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("rows_at_once", [1, 3, 512])
def test_loss_and_gradients_equal_those_of_plain_layers(
    smoothing: float, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_entropy, "ROWS_AT_ONCE", rows_at_once)
    torch.manual_seed(0)
    layer, twin = nn.Linear(5, 11), nn.Linear(5, 11)
    twin.load_state_dict(layer.state_dict())
    hidden = (3 * torch.randn(7, 5)).requires_grad_()
    other = hidden.detach().clone().requires_grad_()
    target = torch.randint(0, 11, (7,))
    loss = label_smoothed_cross_entropy(hidden, layer, target, smoothing)
    expected = F.cross_entropy(twin(other), target, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(loss, expected)
    torch.autograd.backward(2.5 * loss)
    torch.autograd.backward(2.5 * expected)
    pairs = [(hidden, other), *zip(layer.parameters(), twin.parameters(), strict=True)]
    for mine, theirs in pairs:
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-5, rtol=1e-5)


def test_what_is_frozen_gets_no_gradient() -> None:
    layer = nn.Linear(5, 11).requires_grad_(requires_grad=False)
    hidden = torch.randn(7, 5, requires_grad=True)
    loss = label_smoothed_cross_entropy(hidden, layer, torch.zeros(7, dtype=torch.int64), 0.1)
    torch.autograd.backward(loss)
    assert hidden.grad is not None
    assert layer.weight.grad is layer.bias.grad is None


def test_bfloat16_is_near() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(16, 11)
    hidden = torch.randn(700, 16, requires_grad=True)
    target = torch.randint(0, 11, (700,))
    exact = label_smoothed_cross_entropy(hidden, layer, target, 0.1)
    torch.autograd.backward(exact)
    expected, layer.weight.grad = layer.weight.grad, None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = label_smoothed_cross_entropy(hidden, layer, target, 0.1)
    torch.autograd.backward(loss)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=1e-3, atol=0.0)
    torch.testing.assert_close(layer.weight.grad, expected, rtol=0.02, atol=0.5)

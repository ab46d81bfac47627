"""The position-wise network against its formulas."""

import pytest
import torch
import torch.nn.functional as F

from s2scli.model.transformer.feed_forward import Activation, FeedForward

DIM = 8


def test_the_gated_network_equals_its_formula() -> None:
    torch.manual_seed(0)
    network, x = FeedForward(DIM, 6, "swiglu", 0.0), torch.randn(2, 3, DIM)
    gate, value = (network.inner.weight[:6] @ x[0, 0]), (network.inner.weight[6:] @ x[0, 0])
    expected = network.outer.weight @ (gate / (1 + (-gate).exp()) * value)
    torch.testing.assert_close(network(x)[0, 0], expected)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("learning", [True, False])
def test_the_plain_network_equals_its_formula(activation: Activation, learning: bool) -> None:
    torch.manual_seed(0)
    network, states = FeedForward(DIM, 6, activation, 0.0), torch.randn(2, 3, DIM)
    inner = states @ network.inner.weight.T + network.inner.bias
    inner = inner.clamp(min=0) if activation == "relu" else F.gelu(inner)
    expected = inner @ network.outer.weight.T + network.outer.bias
    with torch.set_grad_enabled(learning):
        torch.testing.assert_close(network(states), expected)

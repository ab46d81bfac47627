import pytest
import torch
import torch.nn.functional as F

from s2scli.model.layers import linear
from s2scli.model.layers.linear import Linear, make_linear, suits_onednn


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (7, 5), (2, 3, 5)])
def test_every_way_says_the_same(bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer, states = make_linear(5, 4, bias=bias), torch.randn(*shape)
    expected = F.linear(states, layer.weight, layer.bias)
    with torch.inference_mode():
        torch.testing.assert_close(layer(states), expected)
        apart = torch.cat([states, states], -1)[..., ::2]  # rows that do not stand together
        torch.testing.assert_close(layer(apart), F.linear(apart, layer.weight, layer.bias))


def test_the_quick_way_is_for_float32_without_gradients() -> None:
    states = torch.randn(2, 5)
    assert not suits_onednn(states)
    with torch.inference_mode():
        assert suits_onednn(states) == torch.backends.mkldnn.is_available()
        assert not suits_onednn(states.double())
        assert not suits_onednn(states.to("meta"))
        with torch.autocast("cpu", torch.bfloat16):
            assert not suits_onednn(states)
            assert Linear(5, 4)(states).dtype == torch.bfloat16
    layer = Linear(5, 4)
    torch.autograd.backward(layer(states).sum())
    assert layer.weight.grad is not None


def test_a_pytorch_without_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "ONEDNN", None)
    layer, states = Linear(5, 4), torch.randn(2, 5)
    with torch.inference_mode():
        torch.testing.assert_close(layer(states), F.linear(states, layer.weight, layer.bias))

"""Products by oneDNN are those by PyTorch's usual library, and so are their gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels import one_dnn
from s2scli.model.kernels.linear import Linear, multiply
from tests.machines import EITHER_LIBRARY, multiply_by_one_dnn, needs_one_dnn


@pytest.fixture(params=EITHER_LIBRARY)
def by_one_dnn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let either library multiply, whatever the processor."""
    multiply_by_one_dnn(monkeypatch, request.param)
    return bool(request.param)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 5), (1, 1, 5)])
def test_the_layer_and_its_gradients_are_those_of_torch(
    shape: tuple[int, ...], bias: bool, by_one_dnn: bool
) -> None:
    layer = Linear(5, 11, bias=bias)
    values, twin = (random(*shape).requires_grad_() for _ in range(2))
    weight, offset = (
        None if some is None else some.detach().clone().requires_grad_()
        for some in (layer.weight, layer.bias)
    )
    assert weight is not None
    scale = random(*shape[:-1], 11)
    found, expected = layer(values), F.linear(twin, weight, offset)
    assert (found.grad_fn.name() == "_OneDnnLinearBackward") == by_one_dnn
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.autograd.backward((found * scale).sum())
    torch.autograd.backward((expected * scale).sum())
    torch.testing.assert_close(values.grad, twin.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(layer.weight.grad, weight.grad, atol=1e-5, rtol=1e-5)
    if offset is not None:
        torch.testing.assert_close(layer.bias.grad, offset.grad, atol=1e-5, rtol=1e-5)


def test_what_is_frozen_gets_no_gradient(by_one_dnn: bool) -> None:
    layer = Linear(5, 3).requires_grad_(requires_grad=False)
    values = random(4, 5).requires_grad_()
    torch.autograd.backward(layer(values).sum())
    assert values.grad is not None
    assert layer.weight.grad is layer.bias.grad is None


def test_products_take_transposed_matrices(by_one_dnn: bool) -> None:
    left, right, bias = random(5, 7), random(5, 3), random(3)
    expected = left.t() @ right + bias
    with torch.no_grad():
        torch.testing.assert_close(multiply(left.t(), right.t(), bias), expected)


@needs_one_dnn
def test_other_types_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    multiply_by_one_dnn(monkeypatch)
    monkeypatch.setattr(one_dnn, "multiply", lambda *_: pytest.fail("asked oneDNN"))
    layer = Linear(5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(random(4, 5)).dtype == torch.bfloat16
    assert layer.double()(random(4, 5).double()).dtype == torch.float64
    assert layer(random(0, 5).double()).shape == (0, 3)
    assert Linear(5, 3)(random(0, 5)).shape == (0, 3)


def test_rows_that_do_not_stand_together(by_one_dnn: bool) -> None:
    layer = Linear(5, 3)
    apart = random(4, 10)[:, ::2]
    with torch.inference_mode():
        torch.testing.assert_close(layer(apart), F.linear(apart, layer.weight, layer.bias))


@needs_one_dnn
def test_second_derivatives_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    multiply_by_one_dnn(monkeypatch)
    values = random(4, 5).requires_grad_()
    (slope,) = torch.autograd.grad(Linear(5, 3)(values).square().sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(slope.sum())

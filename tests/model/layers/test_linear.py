"""Products by oneDNN are those by PyTorch's usual library, and so are their gradients."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.model.layers import linear
from s2scli.model.layers.linear import Linear, multiply, one_dnn_multiplies, pack_weights
from tests.one_dnn import EITHER_LIBRARY, needs_one_dnn


@pytest.fixture(params=EITHER_LIBRARY)
def by_one_dnn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let either library multiply, whatever the processor."""
    monkeypatch.setattr(linear, "processor_wants_one_dnn", lambda: request.param)
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
    torch.testing.assert_close(multiply(left.t(), right.t(), bias), expected)


@needs_one_dnn
def test_other_types_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "processor_wants_one_dnn", lambda: True)
    monkeypatch.setattr(linear, "_one_dnn", lambda *_: pytest.fail("asked oneDNN"))
    layer = Linear(5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(random(4, 5)).dtype == torch.bfloat16
    assert layer.double()(random(4, 5).double()).dtype == torch.float64
    assert layer(random(0, 5).double()).shape == (0, 3)
    assert Linear(5, 3)(random(0, 5)).shape == (0, 3)


@pytest.mark.parametrize(
    ("processor", "capability", "wanted"),
    [
        ("vendor_id : AuthenticAMD", "AVX512", one_dnn_multiplies()),
        ("vendor_id : GenuineIntel", "AVX512", False),
        ("vendor_id : AuthenticAMD", "AVX2", False),
    ],
)
def test_which_processor_wants_it(
    processor: str, capability: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(processor)
    monkeypatch.setattr(linear, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert linear.processor_wants_one_dnn.__wrapped__() == wanted


def test_rows_that_do_not_stand_together(by_one_dnn: bool) -> None:
    layer = Linear(5, 3)
    apart = random(4, 10)[:, ::2]
    with torch.inference_mode():
        torch.testing.assert_close(layer(apart), F.linear(apart, layer.weight, layer.bias))


@needs_one_dnn
def test_second_derivatives_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "processor_wants_one_dnn", lambda: True)
    values = random(4, 5).requires_grad_()
    (slope,) = torch.autograd.grad(Linear(5, 3)(values).square().sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(slope.sum())


@pytest.mark.parametrize("bias", [True, False])
def test_packed_weights_multiply_as_plain_ones(bias: bool, by_one_dnn: bool) -> None:
    layer = Linear(40, 70, bias=bias)
    pack_weights(nn.Sequential(layer))
    assert (layer.packed is not None) == by_one_dnn
    together = random(33, 40)
    with torch.inference_mode():
        found = layer(together)
        alone = torch.cat([layer(row[None]) for row in together])
        stacked = layer(together.view(3, 11, 40)).view(33, 70)
        apart = layer(random(33, 80)[:, ::2])
    for one in (found, alone, stacked):
        torch.testing.assert_close(one, F.linear(together, layer.weight, layer.bias))
    expected = F.linear(random(33, 80)[:, ::2], layer.weight, layer.bias)
    torch.testing.assert_close(apart, expected)


def test_packed_weights_are_not_saved_and_leave_gradients_alone(by_one_dnn: bool) -> None:
    layer, plain = Linear(5, 3), Linear(5, 3)
    names = list(layer.state_dict())
    pack_weights(layer)
    assert list(layer.state_dict()) == names
    plain.load_state_dict(layer.state_dict())
    for one in (layer, plain):
        torch.autograd.backward(one(random(4, 5)).square().sum())
    assert layer.weight.grad is not None
    assert plain.weight.grad is not None
    assert torch.equal(layer.weight.grad, plain.weight.grad)


def test_a_copy_multiplies_by_its_own_weights(by_one_dnn: bool) -> None:
    layer, values = Linear(5, 3), random(4, 5)
    pack_weights(layer)
    with torch.inference_mode():
        before = layer(values)
        twin = copy.deepcopy(layer)
        torch.testing.assert_close(twin(values), before)
        twin.weight.zero_()
        assert torch.equal(twin(values), twin.bias.expand(4, 3))
        assert torch.equal(layer(values), before)


@needs_one_dnn
def test_packed_weights_are_for_their_own_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "processor_wants_one_dnn", lambda: True)
    layer = Linear(5, 3)
    pack_weights(layer)
    monkeypatch.setattr(linear, "_one_dnn", lambda *_: pytest.fail("asked oneDNN"))
    with torch.inference_mode():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(random(4, 5)).dtype == torch.bfloat16
        assert layer.double()(random(4, 5).double()).dtype == torch.float64

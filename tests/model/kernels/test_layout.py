"""Laid out weights multiply as the plain ones do now, whatever has become of those."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from s2scli.model.kernels import one_dnn
from s2scli.model.kernels.layout import Layout, lay_out
from s2scli.model.kernels.linear import Linear
from s2scli.model.kernels.steps import Steps
from s2scli.model.recurrence import make_recurrence
from s2scli.training.averaging import wearing
from s2scli.training.muon import MuonWithAdam
from tests.machines import EITHER_LIBRARY, multiply_by_one_dnn, needs_int8, needs_one_dnn

INT8 = [False, pytest.param(True, marks=needs_int8)]
Change = Callable[[nn.Module], None]


@pytest.fixture(autouse=True, params=EITHER_LIBRARY)
def by_one_dnn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let either library multiply, whatever the processor."""
    multiply_by_one_dnn(monkeypatch, request.param)
    return bool(request.param)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def step_with(make: Callable[[nn.Module], Optimizer]) -> Change:
    def change(layer: nn.Module) -> None:
        optimizer = make(layer)
        for weight in layer.parameters():
            weight.grad = torch.ones_like(weight)
        optimizer.step()

    return change


def write_in_inference_mode(layer: nn.Module) -> None:
    with torch.inference_mode():
        for weight in layer.parameters():
            weight.mul_(2)


def swap_twice(layer: nn.Module) -> None:
    """Swap the weights until their memory may be that of the first ones again."""
    for _ in range(2):
        for weight in layer.parameters():
            weight.data = weight.data + 1


def swap_for_inference_tensors(layer: nn.Module) -> None:
    with torch.inference_mode():
        for name, weight in list(layer.named_parameters()):
            setattr(layer, name, nn.Parameter(weight + 1, requires_grad=False))
        for weight in layer.parameters():
            weight.add_(1)


def turn(layer: nn.Module) -> None:
    for weight in layer.parameters():
        if weight.dim() == 2 and weight.shape[0] == weight.shape[1]:
            weight.data = weight.data.t()


def other_state(layer: nn.Module) -> dict[str, Tensor]:
    return {name: value + 1 for name, value in layer.state_dict().items()}


CHANGES: dict[str, Change] = {
    "nothing": lambda layer: None,
    "sgd": step_with(lambda layer: SGD(layer.parameters(), lr=0.5)),
    "fused sgd": step_with(lambda layer: SGD(layer.parameters(), lr=0.5, fused=True)),
    "foreach adam": step_with(lambda layer: Adam(layer.parameters(), lr=0.5, foreach=True)),
    "fused adamw": step_with(lambda layer: AdamW(layer.parameters(), lr=0.5, fused=True)),
    "muon": step_with(
        lambda layer: MuonWithAdam(
            dict(layer.named_parameters()),
            0.5,
            momentum=0.9,
            weight_decay=0.0,
            betas=(0.9, 0.9),
            epsilon=1e-8,
        )
    ),
    "load_state_dict": lambda layer: (layer.load_state_dict(other_state(layer)), None)[1],
    "assigned": lambda layer: (layer.load_state_dict(other_state(layer), assign=True), None)[1],
    "written in inference mode": write_in_inference_mode,
    "swapped": swap_twice,
    "turned": turn,
}


@pytest.mark.parametrize("int8", INT8)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_weight_has_a_new_layout(change: Change, int8: bool, by_one_dnn: bool) -> None:
    layer, values = Linear(6, 6), random(4, 6)
    lay_out(layer, int8=int8)
    assert (layer.layout is not None) == (int8 or by_one_dnn)
    change(layer)
    with torch.no_grad():
        found, expected = layer(values), F.linear(values, layer.weight, layer.bias)
    assert_multiplies(found, expected, int8=int8)


@pytest.mark.parametrize("int8", INT8)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_recurrent_weights_have_new_layouts(change: Change, int8: bool) -> None:
    torch.manual_seed(0)
    recurrence = make_recurrence("gru", 6, 6, 2, bidirectional=False, dropout=0.0).eval()
    steps, values, state = Steps(recurrence), random(4, 6), random(2, 4, 6) / 4
    steps.lay_out(int8=int8)
    lay_out(Linear(2, 2))  # which watches optimizers
    change(recurrence)
    with torch.no_grad():
        (found,) = steps(values, (state,))
        (expected,) = Steps(recurrence)(values, (state,))
    assert_multiplies(found, expected, int8=int8)


def assert_multiplies(found: Tensor, expected: Tensor, *, int8: bool) -> None:
    if int8:
        assert not torch.equal(found, expected), "it was not rounded"
        torch.testing.assert_close(found, expected, atol=0.02 * float(expected.norm()), rtol=0.0)
    else:
        torch.testing.assert_close(found, expected)


def test_worn_weights_have_their_own_layout() -> None:
    layer, values = Linear(6, 3), random(4, 6)
    lay_out(layer)
    with torch.no_grad():
        own = layer(values)
        with wearing(layer, {"weight": torch.zeros(3, 6)}):
            assert torch.equal(layer(values), layer.bias.expand(4, 3))
        assert torch.equal(layer(values), own)


def test_weights_without_a_version_counter_are_laid_out_anew() -> None:
    layer, values = Linear(6, 3), random(4, 6)
    lay_out(layer)
    swap_for_inference_tensors(layer)
    with torch.inference_mode():
        torch.testing.assert_close(layer(values), F.linear(values, layer.weight, layer.bias))
        lay_out(layer)
        layer.weight.zero_()
        torch.testing.assert_close(layer(values), layer.bias.expand(4, 3))


@needs_one_dnn
@pytest.mark.parametrize("by_one_dnn", [True], indirect=True)
def test_a_weight_that_stays_is_laid_out_once(
    by_one_dnn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, values = Linear(5, 3), random(4, 5)
    lay_out(layer)
    monkeypatch.setattr(one_dnn.OneDnnWeight, "of", lambda weight: pytest.fail("laid out again"))
    with torch.no_grad():
        layer(values)
    with torch.inference_mode():
        layer(values)


def test_layouts_are_not_saved_and_leave_gradients_alone(by_one_dnn: bool) -> None:
    layer, plain = Linear(5, 3), Linear(5, 3)
    names = list(layer.state_dict())
    lay_out(layer)
    assert list(layer.state_dict()) == names
    plain.load_state_dict(layer.state_dict())
    for one in (layer, plain):
        torch.autograd.backward(one(random(4, 5)).square().sum())
    assert layer.weight.grad is not None
    assert plain.weight.grad is not None
    assert torch.equal(layer.weight.grad, plain.weight.grad)


def test_a_copy_multiplies_by_its_own_weights() -> None:
    layer, values = Linear(5, 3), random(4, 5)
    lay_out(layer)
    with torch.inference_mode():
        before = layer(values)
        twin = copy.deepcopy(layer)
        assert twin.layout is None
        torch.testing.assert_close(twin(values), before)
        twin.weight.zero_()
        assert torch.equal(twin(values), twin.bias.expand(4, 3))
        assert torch.equal(layer(values), before)


def test_layouts_are_for_their_own_type() -> None:
    layer = Linear(5, 3)
    lay_out(nn.Sequential(layer))
    with torch.inference_mode():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(random(4, 5)).dtype == torch.bfloat16
        assert layer(random(0, 5)).shape == (0, 3)
        assert layer.double()(random(4, 5).double()).dtype == torch.float64
    assert Layout.of(layer.weight, int8=True) is None

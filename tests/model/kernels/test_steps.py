"""Single steps say what PyTorch's layers say of a whole sequence."""

import copy
from typing import get_args

import pytest
import torch
from torch import Tensor

from s2scli.model.kernels.steps import Recurrence, Steps
from s2scli.model.recurrence import (
    STATE_PARTS,
    Cell,
    make_recurrence,
    pack_state,
    unpack_state,
)
from tests.machines import EITHER_LIBRARY, multiply_by_one_dnn

ROWS, LENGTH, INPUT, DIM = 3, 4, 5, 6


def make(cell: Cell, num_layers: int = 1) -> Recurrence:
    torch.manual_seed(0)
    recurrence = make_recurrence(
        cell, INPUT, DIM, num_layers, bidirectional=False, dropout=0.1 * (num_layers > 1)
    )
    return recurrence.eval()


def inputs(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(ROWS, LENGTH, INPUT, generator=torch.Generator().manual_seed(1)).to(dtype)


def start(cell: Cell, num_layers: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(2)
    shape = (num_layers, ROWS, DIM)
    parts = STATE_PARTS[cell]
    return tuple(torch.randn(*shape, generator=random).to(dtype) for _ in range(parts))


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("laid_out", [False, True])
@pytest.mark.parametrize("by_one_dnn", EITHER_LIBRARY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_those_of_the_layer(
    cell: Cell,
    num_layers: int,
    laid_out: bool,
    by_one_dnn: bool,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    multiply_by_one_dnn(monkeypatch, by_one_dnn)
    recurrence = make(cell, num_layers).to(dtype)
    steps, hidden, outputs = Steps(recurrence), start(cell, num_layers, dtype), []
    if laid_out:
        steps.lay_out(int8=False)
        wanted = by_one_dnn and dtype == torch.float32
        assert all((layout is not None) == wanted for both in steps.layouts for layout in both)
    whole, final = recurrence(inputs(dtype), pack_state(hidden))
    with torch.inference_mode():
        for index in range(LENGTH):
            hidden = steps(inputs(dtype)[:, index], hidden)
            outputs.append(hidden[0][-1])
    within = 1e-6 if dtype == torch.float32 else 1e-14
    torch.testing.assert_close(torch.stack(outputs, 1), whole, atol=within, rtol=0)
    torch.testing.assert_close(hidden, unpack_state(final), atol=within, rtol=0)


def test_takes_one_step_where_nothing_is_learned() -> None:
    steps = Steps(make("gru", 2))
    assert not steps.can_take(inputs()[:, :1])
    with torch.inference_mode():
        assert steps.can_take(inputs()[:, :1])
        assert not steps.can_take(inputs())
        assert not steps.can_take(inputs()[:, :1].to("meta"))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not steps.can_take(inputs()[:, :1])
        steps.recurrence.train()
        assert not steps.can_take(inputs()[:, :1]), "dropout between the layers"


@pytest.mark.parametrize("by_one_dnn", EITHER_LIBRARY)
def test_a_copy_steps_with_its_own_weights(
    by_one_dnn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    multiply_by_one_dnn(monkeypatch, by_one_dnn)
    steps = Steps(make("lstm"))
    steps.lay_out(int8=False)
    twin = copy.deepcopy(steps)
    with torch.inference_mode():
        hidden = start("lstm", 1, torch.float32)
        before = steps(inputs()[:, 0], hidden)
        for weight in twin.recurrence.parameters():
            weight.zero_()
        assert torch.equal(steps(inputs()[:, 0], hidden)[0], before[0])
        assert not torch.equal(twin(inputs()[:, 0], hidden)[0], before[0])

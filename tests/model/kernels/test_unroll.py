"""Unrolled layers say what PyTorch's layers say, and have their gradient."""

import functools
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from s2scli.model.kernels.steps import Recurrence
from s2scli.model.kernels.unroll import BY_UNROLLING, Order, unroll
from s2scli.model.recurrence import (
    Cell,
    make_recurrence,
    run_packed,
    unpack_state,
)
from tests.machines import EITHER_LIBRARY, multiply_by_one_dnn

ROWS, INPUT, DIM = 4, 5, 6
LENGTHS = (3, 5, 1, 3)


def make(cell: Cell, num_layers: int, bidirectional: bool, dtype: torch.dtype) -> Recurrence:
    torch.manual_seed(0)
    return make_recurrence(
        cell, INPUT, DIM, num_layers, bidirectional=bidirectional, dropout=0.0
    ).to(dtype)


def pack(values: Tensor) -> PackedSequence:
    lengths = torch.tensor(LENGTHS)
    return pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)


def gradients(recurrence: Recurrence, loss: Tensor, *inputs: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [*inputs, *recurrence.parameters()]))


def weighted(*values: Tensor) -> Tensor:
    """Return a sum in which no two numbers weigh the same."""
    return sum(
        ((part * torch.arange(part.numel()).view(part.shape).sin()).sum() for part in values),
        torch.zeros((), dtype=values[0].dtype),
    )


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("by_one_dnn", EITHER_LIBRARY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_packed_sequences_are_those_of_the_layers(
    cell: Cell,
    num_layers: int,
    bidirectional: bool,
    by_one_dnn: bool,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    multiply_by_one_dnn(monkeypatch, by_one_dnn)
    recurrence = make(cell, num_layers, bidirectional, dtype)
    values = torch.randn(ROWS, max(LENGTHS), INPUT, dtype=dtype, requires_grad=True)
    states, ends = run_packed(recurrence, pack(values))
    expected, final = recurrence(pack(values))
    close = functools.partial(
        torch.testing.assert_close, atol=2e-6 if dtype == torch.float32 else 1e-13, rtol=0
    )
    close(states.data, expected.data)
    close(ends, unpack_state(final))
    close(
        gradients(recurrence, weighted(states.data, *ends), values),
        gradients(recurrence, weighted(expected.data, *unpack_state(final)), values),
    )


@pytest.mark.parametrize("cell", get_args(Cell))
def test_a_part_of_the_state_that_nothing_reads_has_no_gradient(cell: Cell) -> None:
    recurrence = make(cell, 1, bidirectional=False, dtype=torch.float64)
    values = torch.randn(3 * ROWS, INPUT, dtype=torch.float64, requires_grad=True)
    outputs, _ = unroll(recurrence, values, [ROWS] * 3)
    expected, _ = recurrence(values.view(3, ROWS, INPUT).transpose(0, 1))
    torch.testing.assert_close(
        gradients(recurrence, weighted(outputs), values),
        gradients(recurrence, weighted(expected.transpose(0, 1).flatten(0, 1)), values),
    )


@pytest.mark.parametrize("cell", get_args(Cell))
def test_bfloat16_is_as_near_to_float64_as_that_of_the_layers(cell: Cell) -> None:
    recurrence = make(cell, 1, bidirectional=False, dtype=torch.float32)
    values = torch.randn(ROWS, max(LENGTHS), INPUT, requires_grad=True)
    found = []
    for run in (run_packed, recurrence):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states, _ = run(pack(values)) if run is recurrence else run(recurrence, pack(values))
        found.append([states.data, *gradients(recurrence, weighted(states.data.float()), values)])
    exact = make(cell, 1, bidirectional=False, dtype=torch.float64)
    doubles = values.detach().double().requires_grad_()
    states, _ = exact(pack(doubles))
    true = [states.data, *gradients(exact, weighted(states.data), doubles)]
    for ours, theirs, right in zip(*found, true, strict=True):
        error = (ours.double() - right).norm()
        assert error <= 1.5 * (theirs.double() - right).norm() + 1e-3 * right.norm()


@pytest.mark.parametrize("sizes", [(1,), (3, 3), (4, 2, 2, 1), (2, 1, 1, 1, 1)])
def test_an_order_finds_steps_before_last_and_from_the_end(sizes: tuple[int, ...]) -> None:
    order = Order.of(sizes)
    rows = [(step, row) for step, size in enumerate(sizes) for row in range(size)]
    lengths = [sum(row < size for size in sizes) for row in range(sizes[0])]
    assert [rows[at] for at in order.before] == [(step - 1, row) for step, row in rows if step]
    assert [rows[at] for at in order.last] == [
        (length - 1, row) for row, length in enumerate(lengths)
    ]
    assert [rows[at] for at in order.backwards] == [
        (lengths[row] - 1 - step, row) for step, row in rows
    ]
    assert [rows[span] for span in order.spans()] == [
        [(step, row) for row in range(size)] for step, size in enumerate(sizes)
    ]


def test_dropout_lies_between_the_layers() -> None:
    recurrence = make("gru", 2, bidirectional=True, dtype=torch.float64)
    values = torch.randn(2 * ROWS, INPUT, dtype=torch.float64)
    plain, _ = unroll(recurrence, values, [ROWS] * 2)
    recurrence.dropout = 0.5
    dropped, _ = unroll(recurrence, values, [ROWS] * 2)
    assert not torch.equal(plain, dropped)
    assert torch.equal(plain, unroll(recurrence.eval(), values, [ROWS] * 2)[0])


def test_only_learning_on_a_cpu_is_unrolled() -> None:
    assert BY_UNROLLING.runs(torch.zeros(1))
    assert not BY_UNROLLING.runs(torch.zeros(1, device="meta"))
    assert not BY_UNROLLING.runs(torch.zeros(1, dtype=torch.float16))
    with torch.no_grad():
        assert not BY_UNROLLING.runs(torch.zeros(1))

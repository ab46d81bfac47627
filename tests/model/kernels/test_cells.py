"""Steps of the cells, and their gradients, against autograd."""

import pytest
import torch
from torch import Tensor

from s2scli.model.kernels.cells import CELLS
from s2scli.model.kernels.steps import CELLS as PLAIN

ROWS, DIM = 3, 4
GATES = {"RNN_TANH": 1, "GRU": 3, "LSTM": 4}


@pytest.fixture(params=sorted(CELLS))
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def numbers(mode: str) -> list[Tensor]:
    """Return `seen`, `kept` and the parts of a state."""
    torch.manual_seed(0)
    widths = [GATES[mode] * DIM] * 2 + [DIM] * CELLS[mode].parts
    return [torch.randn(ROWS, width, dtype=torch.double, requires_grad=True) for width in widths]


def step(mode: str, seen: Tensor, kept: Tensor, *before: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Take a step; return the tape and the parts of the state after it."""
    cell = CELLS[mode]
    tape = torch.full((ROWS, cell.tape * DIM), torch.nan, dtype=torch.double)
    tape[:, : seen.shape[1]] = seen
    after = [torch.empty_like(part) for part in before]
    cell.step(tape, kept, before, after)
    return tape, after


def test_a_step_is_that_of_search(mode: str) -> None:
    with torch.no_grad():
        seen, kept, *before = numbers(mode)
        _, after = step(mode, seen, kept, *before)
        expected = PLAIN[mode](seen, kept, before)
    torch.testing.assert_close(tuple(after), expected)


def test_a_step_back_is_that_of_autograd(mode: str) -> None:
    seen, kept, *before = numbers(mode)
    outputs = PLAIN[mode](seen, kept, before)
    towards = [torch.randn_like(part) for part in outputs]
    inputs = [seen, kept, *before]
    expected = torch.autograd.grad(outputs, inputs, towards, materialize_grads=True)
    cell = CELLS[mode]
    with torch.no_grad():
        tape, after = step(mode, seen, kept, *before)
        for_seen = torch.full_like(seen, torch.nan)
        for_kept = torch.full_like(kept, torch.nan) if cell.splits else for_seen
        slopes = cell.slopes(tape, before, after)
        cell.back(slopes, towards, for_seen, for_kept)
    torch.testing.assert_close([for_seen, for_kept, *towards], list(expected))

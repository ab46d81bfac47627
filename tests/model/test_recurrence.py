"""Stacks of recurrent layers, and their states as tuples."""

from typing import get_args

import pytest
import torch

from s2scli.model.recurrence import STATE_PARTS, Cell, make_recurrence, pack_state, unpack_state


@pytest.mark.parametrize("cell", get_args(Cell))
def test_a_state_has_the_parts_of_its_cell(cell: Cell) -> None:
    recurrence = make_recurrence(cell, 5, 6, 2, bidirectional=False, dropout=0.1)
    parts = tuple(torch.randn(3, 2, 6).transpose(0, 1) for _ in range(STATE_PARTS[cell]))
    outputs, final = recurrence(torch.randn(3, 4, 5), pack_state(parts))
    assert outputs.shape == (3, 4, 6)
    state = unpack_state(final)
    assert [part.shape for part in state] == [(2, 3, 6)] * STATE_PARTS[cell]
    for one, other in zip(unpack_state(pack_state(parts)), parts, strict=True):
        assert one.equal(other) and one.is_contiguous()


@pytest.mark.filterwarnings("error")
def test_one_layer_has_no_dropout_between_layers() -> None:
    assert make_recurrence("gru", 5, 6, 1, bidirectional=False, dropout=0.5).dropout == 0.0
    assert make_recurrence("gru", 5, 6, 2, bidirectional=False, dropout=0.5).dropout == 0.5

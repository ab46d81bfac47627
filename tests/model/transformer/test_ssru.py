"""The recurrent unit against the equations of its paper, and what its decoder refuses."""

import pytest
import torch

from s2scli.errors import ConfigError
from s2scli.model.transformer.ssru import SSRU
from tests.models import make_model, transformer_tree


def test_the_unit_equals_a_loop_of_the_paper() -> None:
    torch.manual_seed(0)
    unit = SSRU(4).double()
    with torch.no_grad():
        unit.gate_bias.normal_()
    weight, gate_weight = unit.value_and_gate.weight.chunk(2)
    states = torch.randn(2, 5, 4, dtype=torch.double)
    outputs, cells = unit.continue_from(unit.empty_cache(states), states, None, None)
    for row, found in zip(states, outputs, strict=True):
        cell = torch.zeros(4, dtype=torch.double)
        for state, output in zip(row, found, strict=True):
            forget = 1 / (1 + torch.exp(-(gate_weight @ state + unit.gate_bias)))
            cell = forget * cell + (1 - forget) * (weight @ state)
            assert torch.allclose(output, cell.clamp(min=0), rtol=1e-12, atol=1e-15)
    assert torch.allclose(cells.values[-1, 0], cell, rtol=1e-12, atol=1e-15)


def test_the_cost_of_its_state_does_not_grow() -> None:
    unit = SSRU(4)
    cells = unit.empty_cache(torch.zeros(3, 1))
    for _ in range(3):
        _, cells = unit.continue_from(cells, torch.randn(3, 2, 4), None, None)
        assert cells.values.shape == (3, 1, 4)


def test_rotary_positions_are_refused() -> None:
    decoder = {"kind": "ssru", "model_dim": 8, "ffn_dim": 6, "positions": "rotary"}
    with pytest.raises(ConfigError, match=r"model\.decoder\.positions: rotary .* choose sinus"):
        make_model({**transformer_tree(), "decoder": decoder})

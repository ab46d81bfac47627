"""What enters a stack: vectors of tokens, scaled and projected, with their positions."""

from typing import get_args

import pytest
import torch

from s2scli.model.transformer.entrance import Entrance
from s2scli.model.transformer.positions import (
    GridPositions,
    LearnedPositions,
    Positions,
    rotary_angles,
    sinusoids,
)
from s2scli.model.transformer.settings import TransformerSettings

DIM, START, COLUMNS = 8, 3, 2


def entrance(positions: Positions, input_dim: int = DIM) -> Entrance:
    torch.manual_seed(0)
    settings = TransformerSettings(
        model_dim=DIM, num_heads=2, positions=positions, grid_columns=COLUMNS
    )
    return Entrance(settings, input_dim).eval()


@pytest.mark.parametrize("positions", get_args(Positions))
def test_vectors_are_scaled_and_know_where_they_stand(positions: Positions) -> None:
    enter, vectors = entrance(positions), torch.randn(2, 4, DIM)
    where = torch.arange(START, START + 4)
    expected = vectors * DIM**0.5
    if positions == "sinusoidal":
        expected = expected + sinusoids(where, DIM)
    if positions == "learned":
        assert isinstance(enter.learned, LearnedPositions)
        expected = expected + enter.learned.table.weight[where]
    if positions == "grid":
        assert isinstance(enter.learned, GridPositions)
        rows, columns = enter.learned.row.table.weight, enter.learned.column.table.weight
        expected = expected + torch.stack([rows[p // 2] + columns[p % 2] for p in where.tolist()])
    states, angles = enter(vectors, START)
    torch.testing.assert_close(states, expected)
    assert (angles is not None) == (positions == "rotary")
    if angles is not None:
        torch.testing.assert_close(angles, rotary_angles(where, DIM // 2))


def test_other_widths_are_projected_and_a_summary_is_added() -> None:
    enter, vectors, summary = entrance("rotary", 5), torch.randn(2, 4, 5), torch.randn(2, 1, DIM)
    states, _ = enter(vectors, 0, summary)
    torch.testing.assert_close(states, enter.project(vectors * 5**0.5) + summary)

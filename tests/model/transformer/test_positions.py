"""Positions against the papers' formulas."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from s2scli.model.transformer.positions import (
    GridPositions,
    LearnedPositions,
    rotary_angles,
    rotate,
    sinusoids,
)

DIM, HEADS = 8, 2


def test_sinusoids_are_the_papers_in_another_order() -> None:
    found = sinusoids(torch.tensor([0, 1, 7, 300]), DIM)
    for row, position in enumerate([0, 1, 7, 300]):
        for pair in range(DIM // 2):
            angle = position / 10000 ** (2 * pair / DIM)
            assert found[row, pair].item() == pytest.approx(math.sin(angle), abs=1e-4)
            assert found[row, DIM // 2 + pair].item() == pytest.approx(math.cos(angle), abs=1e-4)


def test_sinusoids_of_an_odd_width_leave_one_cosine_out() -> None:
    assert sinusoids(torch.arange(3), 5).equal(sinusoids(torch.arange(3), 6)[:, :5])


def rotary_scores(query: Tensor, key: Tensor, shift: int) -> Tensor:
    """Dot products of all queries with all keys, [H, T, T], where the first stands at `shift`."""
    angles = rotary_angles(torch.arange(shift, shift + query.shape[2]), query.shape[-1])
    return (rotate(query, angles) @ rotate(key, angles).transpose(-1, -2))[0]


def test_rotary_scores_depend_on_the_distance_only() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, HEADS, 5, 4), torch.randn(1, HEADS, 5, 4)
    scores = rotary_scores(query, key, 0)
    torch.testing.assert_close(rotary_scores(query, key, 900), scores, atol=1e-3, rtol=1e-3)
    alike = query[:, :, :1].expand(query.shape), key[:, :, :1].expand(key.shape)
    scores = rotary_scores(*alike, 3)
    for distance in range(-4, 5):
        diagonal = scores.diagonal(distance, 1, 2)
        torch.testing.assert_close(diagonal, diagonal[:, :1].expand(diagonal.shape))
    assert not torch.allclose(scores[0, 0, 0], scores[0, 0, 1])


def test_rotation_is_that_of_complex_numbers() -> None:
    torch.manual_seed(0)
    values, positions = torch.randn(1, 1, 3, 4), torch.tensor([0, 2, 5])
    turned = rotate(values, rotary_angles(positions, 4))
    for step, position in enumerate(positions.tolist()):
        for pair in range(2):
            number = complex(values[0, 0, step, pair], values[0, 0, step, pair + 2])
            number *= np.exp(1j * position * 10000 ** (-2 * pair / 4))
            assert turned[0, 0, step, pair].item() == pytest.approx(number.real, abs=1e-5)
            assert turned[0, 0, step, pair + 2].item() == pytest.approx(number.imag, abs=1e-5)


def test_positions_past_the_last_learned_one_share_its_vector() -> None:
    learned = LearnedPositions(4, DIM)
    assert learned(torch.tensor([3, 4, 99])).equal(learned.table.weight[3].expand(3, DIM))


def test_positions_of_a_grid_are_those_of_its_rows_and_columns() -> None:
    grid = GridPositions(3, 7, DIM)  # 3 rows
    rows, columns = grid.row.table.weight, grid.column.table.weight
    assert (len(rows), len(columns)) == (3, 3)
    found = grid(torch.arange(12))
    for position in range(12):
        row = min(position // 3, 2)
        assert found[position].equal(rows[row] + columns[position % 3])

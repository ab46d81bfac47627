"""Position encodings of a Transformer: sinusoidal, learned, rotary and grid."""

from typing import Literal

import torch
from torch import Tensor, nn

Positions = Literal["sinusoidal", "learned", "rotary", "grid"]


def sinusoids(positions: Tensor, dim: int) -> Tensor:
    """Return sinusoidal encodings of positions [T], [T, dim] (Vaswani et al. 2017, 3.5).

    The first half of a vector holds sines, the second half cosines, with frequencies from 1 to
    about 1 / 10000.
    """
    half = (dim + 1) // 2
    angles = rotary_angles(positions, 2 * half)  # [T, half]
    return torch.cat([angles.sin(), angles.cos()], -1)[:, :dim]


def rotary_angles(positions: Tensor, dim: int) -> Tensor:
    """Return the angles m theta_i, theta_i = 10000^(-2i / dim), of positions m, [T, dim / 2]."""
    exponents = torch.arange(0, dim, 2, device=positions.device) / dim
    return positions[:, None].float() * (10000.0**-exponents)


def rotate(values: Tensor, angles: Tensor) -> Tensor:
    """Rotate each pair of units by its angle (Su et al. 2021, eq. 34).

    Units i and i + K/2 form a pair. The dot product of two rotated vectors depends on their
    positions only through the distance between them.

    Args:
        values: [B, H, T, K].
        angles: [T, K / 2].
    """
    cosines, sines = angles.cos().to(values.dtype), angles.sin().to(values.dtype)
    first, second = values.chunk(2, -1)
    turned = (first * cosines - second * sines, first * sines + second * cosines)
    return torch.cat(turned, -1)


class LearnedPositions(nn.Module):
    """A learned vector for each position (Gehring et al. 2017).

    Positions beyond the last one use its vector.
    """

    def __init__(self, max_positions: int, dim: int) -> None:
        super().__init__()
        vectors = torch.empty(max_positions, dim)
        if not vectors.is_meta:
            nn.init.normal_(vectors, std=0.02)
        self.table = nn.Embedding(max_positions, dim, _weight=vectors)

    def forward(self, positions: Tensor) -> Tensor:
        """Map positions [T] to vectors [T, D]."""
        vectors: Tensor = self.table(positions.clamp(max=self.table.num_embeddings - 1))
        return vectors


class GridPositions(nn.Module):
    """A learned vector for each row plus one for each column, for tokens in reading order.

    The token at position p is in row p // columns and column p % columns. Rows beyond the last one
    use its vector.
    """

    def __init__(self, columns: int, max_positions: int, dim: int) -> None:
        super().__init__()
        self.columns = columns
        self.row = LearnedPositions(-(-max_positions // columns), dim)
        self.column = LearnedPositions(columns, dim)

    def forward(self, positions: Tensor) -> Tensor:
        """Map positions [T] to vectors [T, D]."""
        row: Tensor = self.row(positions // self.columns)
        column: Tensor = self.column(positions % self.columns)
        return row + column

"""How a Transformer knows the order of what it reads: pure functions of the places."""

from typing import Literal

import torch
from torch import Tensor, nn

Positions = Literal["sinusoidal", "learned", "rotary"]


def sinusoids(places: Tensor, dim: int) -> Tensor:
    """Return the position vectors of some places [T] (Vaswani et al. 2017, 3.5), [T, dim].

    Sines in the first half and cosines in the second, of frequencies from 1 to 1 / 10000.
    """
    half = (dim + 1) // 2
    angles = rotary_angles(places, 2 * half)  # [T, half]
    return torch.cat([angles.sin(), angles.cos()], -1)[:, :dim]


def rotary_angles(places: Tensor, dim: int) -> Tensor:
    """Return m theta_i, theta_i = 10000^(-2i / dim), of some places m [T], [T, dim / 2]."""
    exponents = torch.arange(0, dim, 2, device=places.device) / dim
    return places[:, None].float() * (10000.0**-exponents)


def rotate(values: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair of units by its angle (Su et al. 2021, eq. 34).

    Units i and i + K/2 are a pair, so that the dot product of two turned vectors depends on how
    far apart they stand only.

    Args:
        values: [B, H, T, K].
        angles: [T, K / 2].
    """
    cosines, sines = angles.cos().to(values.dtype), angles.sin().to(values.dtype)
    first, second = values.chunk(2, -1)
    turned = (first * cosines - second * sines, first * sines + second * cosines)
    return torch.cat(turned, -1)


class LearnedPositions(nn.Module):
    """A vector for each place (Gehring et al. 2017); places past the last share its vector."""

    def __init__(self, max_places: int, dim: int) -> None:
        super().__init__()
        vectors = torch.empty(max_places, dim)
        if not vectors.is_meta:
            nn.init.normal_(vectors, std=0.02)
        self.table = nn.Embedding(max_places, dim, _weight=vectors)

    def forward(self, places: Tensor) -> Tensor:
        """[T] to [T, D]."""
        vectors: Tensor = self.table(places.clamp(max=self.table.num_embeddings - 1))
        return vectors

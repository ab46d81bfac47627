"""The input layer of a Transformer: embeddings to states with positions."""

import math

import torch
from torch import Tensor, nn

from s2scli.model.kernels.dropout import Dropout
from s2scli.model.kernels.linear import make_linear
from s2scli.model.transformer.positions import (
    GridPositions,
    LearnedPositions,
    rotary_angles,
    sinusoids,
)
from s2scli.model.transformer.settings import StackSettings


class Entrance(nn.Module):
    """Scales embeddings by the root of their width, projects them and adds positions."""

    def __init__(self, settings: StackSettings, input_dim: int) -> None:
        super().__init__()
        self.scale = math.sqrt(input_dim)  # embeddings are initialized with a norm of about 1
        self.project = (
            nn.Identity()
            if input_dim == settings.model_dim
            else make_linear(input_dim, settings.model_dim)
        )
        self.dim, self.head_dim = settings.model_dim, settings.head_dim
        self.kind = settings.positions
        self.learned: nn.Module | None = None
        if settings.positions == "learned":
            self.learned = LearnedPositions(settings.max_positions, settings.model_dim)
        elif settings.positions == "grid":
            self.learned = GridPositions(
                settings.grid_columns, settings.max_positions, settings.model_dim
            )
        self.dropout = Dropout(settings.dropout)

    def forward(
        self, embedded: Tensor, start: int, summary: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return states [B, T, D], and the angles of rotary positions [T, K / 2] or None.

        Args:
            embedded: token embeddings, [B, T, E].
            start: the position of the first token.
            summary: a vector to add at every position, [B, 1, D], or None.
        """
        states = self.project(embedded * self.scale)
        positions = torch.arange(start, start + embedded.shape[1], device=embedded.device)
        angles = None
        if self.learned is not None:
            states = states + self.learned(positions)
        elif self.kind == "rotary":
            angles = rotary_angles(positions, self.head_dim)
        else:
            states = states + sinusoids(positions, self.dim)
        if summary is not None:
            states = states + summary
        return self.dropout(states), angles

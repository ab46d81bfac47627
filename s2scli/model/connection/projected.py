"""The decoder's first state is a learned projection of a summary of the source."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting


class ProjectedConnectionSettings(Settings):
    """tanh(W s), where s is the encoder's last state or the mean of its memory."""

    kind: Literal["projected", "mean"] = setting(
        "projected", "A projection of the encoder's last state, or of the mean of its memory."
    )
    every_step: bool = setting(
        False, "Show the decoder the summary c = tanh(V s) at every step too (Cho et al. 2014)."
    )

    def build(
        self, final: StateShape, memory_dim: int, initial: StateShape
    ) -> "ProjectedConnection":
        """Return the connection."""
        mean = self.kind == "mean"
        return ProjectedConnection(
            memory_dim if mean else final.dim, initial, mean=mean, every_step=self.every_step
        )


class ProjectedConnection(nn.Module):
    """Projects a summary of the source to every layer and part of the decoder's state."""

    def __init__(
        self, summary_dim: int, initial: StateShape, *, mean: bool, every_step: bool
    ) -> None:
        super().__init__()
        self.mean, self.initial = mean, initial
        self.vector_dim = initial.dim if every_step else 0
        self.vector = nn.Linear(summary_dim, initial.dim) if every_step else None
        self.state = nn.Linear(
            self.vector_dim or summary_dim, initial.parts * initial.num_layers * initial.dim
        )

    def forward(self, output: EncoderOutput) -> Connected:
        """Return the decoder's first state, and the vector for every step if there is one."""
        summary = masked_mean(output) if self.mean else output.final_state[0][-1]  # [B, D]
        if self.vector is not None:
            summary = torch.tanh(self.vector(summary))
        shape = (len(summary), self.initial.parts, self.initial.num_layers, self.initial.dim)
        state = torch.tanh(self.state(summary)).view(shape)
        initial = tuple(state.permute(1, 2, 0, 3).unbind(0))  # parts of [L, B, D]
        return Connected(initial, None if self.vector is None else summary)


def masked_mean(output: EncoderOutput) -> Tensor:
    """Return the mean of the memory over real tokens, [B, D]."""
    mask = output.memory_mask[:, :, None].to(output.memory.dtype)
    return (output.memory * mask).sum(1) / mask.sum(1)

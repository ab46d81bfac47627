"""The decoder's first state is a learned projection of a summary of the source."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting

Summary = Callable[[EncoderOutput], Tensor]


class ProjectedConnectionSettings(Settings):
    """tanh(W s), where s is the encoder's last state, or the mean or maximum of its memory."""

    kind: Literal["projected", "mean", "max"] = setting(
        "projected", "A projection of the encoder's last state, or of its memory's mean or maximum."
    )
    every_step: bool = setting(
        False, "Show the decoder the summary c = tanh(V s) at every step too (Cho et al. 2014)."
    )

    def build(
        self, final: StateShape, memory_dim: int, initial: StateShape
    ) -> "ProjectedConnection":
        """Return the connection."""
        summary_dim = final.dim if self.kind == "projected" else memory_dim
        return ProjectedConnection(
            SUMMARIES[self.kind], summary_dim, initial, every_step=self.every_step
        )


class ProjectedConnection(nn.Module):
    """Projects a summary of the source to every layer and part of the decoder's state."""

    def __init__(
        self, summarise: Summary, summary_dim: int, initial: StateShape, *, every_step: bool
    ) -> None:
        super().__init__()
        self.summarise, self.initial = summarise, initial
        self.vector_dim = initial.dim if every_step else 0
        self.vector = nn.Linear(summary_dim, initial.dim) if every_step else None
        state_dim = initial.parts * initial.num_layers * initial.dim
        self.state = nn.Linear(self.vector_dim or summary_dim, state_dim) if state_dim else None

    def forward(self, output: EncoderOutput) -> Connected:
        """Return the decoder's first state, and the vector for every step if there is one."""
        summary = self.summarise(output)  # [B, D]
        if self.vector is not None:
            summary = torch.tanh(self.vector(summary))
        vector = None if self.vector is None else summary
        if self.state is None:
            return Connected((), vector)
        shape = (len(summary), self.initial.parts, self.initial.num_layers, self.initial.dim)
        state = torch.tanh(self.state(summary)).view(shape)
        return Connected(tuple(state.permute(1, 2, 0, 3).unbind(0)), vector)  # parts of [L, B, D]


def last_state(output: EncoderOutput) -> Tensor:
    """Return the top layer's state after the last token, [B, D]."""
    return output.final_state[0][-1]


def masked_mean(output: EncoderOutput) -> Tensor:
    """Return the mean of the memory over real tokens, [B, D]."""
    mask = output.memory_mask[:, :, None].to(output.memory.dtype)
    return (output.memory * mask).sum(1) / mask.sum(1)


def masked_max(output: EncoderOutput) -> Tensor:
    """Return the largest value of each unit of the memory over real tokens, [B, D]."""
    outside = ~output.memory_mask[:, :, None]
    return output.memory.masked_fill(outside, float("-inf")).amax(1)


SUMMARIES: dict[str, Summary] = {
    "projected": last_state,
    "mean": masked_mean,
    "max": masked_max,
}

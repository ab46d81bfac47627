"""The decoder's first state is a learned projection of a summary of the source."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.connection.summary import SUMMARIES, Summary, as_state, state_size
from s2scli.model.kernels.linear import Linear
from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting


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
        summary = SUMMARIES["last" if self.kind == "projected" else self.kind]
        return ProjectedConnection(summary, summary_dim, initial, every_step=self.every_step)


class ProjectedConnection(nn.Module):
    """Projects a summary of the source to every layer and part of the decoder's state."""

    has_prior = False

    def __init__(
        self, summarise: Summary, summary_dim: int, initial: StateShape, *, every_step: bool
    ) -> None:
        super().__init__()
        self.summarise, self.initial = summarise, initial
        self.vector_dim = initial.dim if every_step else 0
        self.vector = Linear(summary_dim, initial.dim) if every_step else None
        self.code_dim = self.vector_dim or summary_dim
        self.state = Linear(self.code_dim, state_size(initial)) if initial.parts else None

    def forward(self, output: EncoderOutput) -> Connected:
        """Return the decoder's first state, and the vector for every step if there is one."""
        return self.connect(self.code(output))

    def code(self, output: EncoderOutput) -> Tensor:
        """Return the vector that stands for each source, [B, C]."""
        summary = self.summarise(output)
        return summary if self.vector is None else torch.tanh(self.vector(summary))

    def connect(self, code: Tensor) -> Connected:
        """Return what the decoder starts from where the code is `code`, [B, C]."""
        initial = () if self.state is None else as_state(torch.tanh(self.state(code)), self.initial)
        return Connected(initial, None if self.vector is None else code)

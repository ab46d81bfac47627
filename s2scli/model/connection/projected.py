"""Initialize the decoder with a learned projection of a summary of the source."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.connection.summary import SUMMARIES, Summary, as_state, state_size
from s2scli.model.kernels.linear import Linear
from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting


class ProjectedConnectionSettings(Settings):
    """Initialize the decoder with tanh(W s), where s is a summary of the source.

    The summary is the encoder's final state, or the mean or maximum of its memory.
    """

    kind: Literal["projected", "mean", "max"] = setting(
        "projected",
        "Initialize the decoder with a projection of the encoder's final state (projected), or of "
        "the mean or maximum of its outputs (mean, max).",
    )
    every_step: bool = setting(
        False,
        "Also feed a projected summary of the source to the decoder at every step: c = tanh(V s) "
        "(Cho et al. 2014).",
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
        """Return the decoder's initial state, and the vector for every step if enabled."""
        return self.connect(self.code(output))

    def code(self, output: EncoderOutput) -> Tensor:
        """Return the summary of each source, projected if `every_step` is true, [B, C]."""
        summary = self.summarise(output)
        return summary if self.vector is None else torch.tanh(self.vector(summary))

    def connect(self, code: Tensor) -> Connected:
        """Turn codes [B, C] into the decoder's initial state and vector."""
        initial = () if self.state is None else as_state(torch.tanh(self.state(code)), self.initial)
        return Connected(initial, None if self.vector is None else code)

"""The decoder starts from zeros and knows the source through attention only."""

from typing import Literal

from torch import nn

from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting


class NoConnectionSettings(Settings):
    """A first state of zeros."""

    kind: Literal["none"] = setting("none", "A first state of zeros.")

    def build(self, final: StateShape, memory_dim: int, initial: StateShape) -> "NoConnection":
        """Return the connection."""
        return NoConnection(initial)


class NoConnection(nn.Module):
    """Makes zeros."""

    vector_dim = 0

    def __init__(self, initial: StateShape) -> None:
        super().__init__()
        self.initial = initial

    def forward(self, output: EncoderOutput) -> Connected:
        """Return a first state of zeros."""
        shape = (self.initial.num_layers, output.memory.shape[0], self.initial.dim)
        zeros = output.memory.new_zeros(shape)
        return Connected((zeros,) * self.initial.parts, None)

"""Initialize the decoder with zeros: it sees the source only through attention."""

from typing import Literal

from torch import Tensor, nn

from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting


class NoConnectionSettings(Settings):
    """Initialize the decoder with zeros."""

    kind: Literal["none"] = setting("none", "Initialize the decoder with zeros.")

    def build(self, final: StateShape, memory_dim: int, initial: StateShape) -> "NoConnection":
        """Return the connection."""
        return NoConnection(initial)


class NoConnection(nn.Module):
    """Returns an initial state of zeros; it has no parameters."""

    code_dim = vector_dim = 0
    has_prior = False

    def __init__(self, initial: StateShape) -> None:
        super().__init__()
        self.initial = initial

    def forward(self, output: EncoderOutput) -> Connected:
        """Return an initial state of zeros."""
        return self.connect(self.code(output))

    def code(self, output: EncoderOutput) -> Tensor:
        """Return an empty code for each source, [B, 0]."""
        return output.memory.new_zeros(output.memory.shape[0], 0)

    def connect(self, code: Tensor) -> Connected:
        """Return an initial state of zeros for given codes [B, 0]."""
        zeros = code.new_zeros(self.initial.num_layers, len(code), self.initial.dim)
        return Connected((zeros,) * self.initial.parts, None)

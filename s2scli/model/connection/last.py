"""The encoder's last state is the decoder's first."""

from typing import Literal

from torch import nn

from s2scli.errors import ConfigError
from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting


class LastConnectionSettings(Settings):
    """The encoder's last state, layer by layer, as it is (Sutskever et al. 2014)."""

    kind: Literal["last"] = setting("last", "The encoder's last state, as it is.")
    every_step: bool = setting(False, "Show the decoder the last state at every step too.")

    def build(self, final: StateShape, memory_dim: int, initial: StateShape) -> "LastConnection":
        """Return the connection.

        Raises:
            ConfigError: encoder and decoder have states of different shapes.
        """
        if not initial.parts and self.every_step:
            return LastConnection(final.dim, begins=False)
        if final != initial:
            raise ConfigError(
                "model.connection.kind: last needs an encoder and a decoder of one cell, depth and "
                f"width; found {_words(final)} and {_words(initial)}; choose projected or mean"
            )
        return LastConnection(final.dim if self.every_step else 0, begins=True)


class LastConnection(nn.Module):
    """Hands the state over; has no weights."""

    def __init__(self, vector_dim: int, *, begins: bool) -> None:
        super().__init__()
        self.vector_dim, self.begins = vector_dim, begins

    def forward(self, output: EncoderOutput) -> Connected:
        """Return the decoder's first state."""
        vector = output.final_state[0][-1] if self.vector_dim else None  # [B, D]
        return Connected(output.final_state if self.begins else (), vector)


def _words(shape: StateShape) -> str:
    return f"{shape.num_layers} layer(s) of {shape.dim} x {shape.parts} part(s)"

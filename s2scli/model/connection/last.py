"""The encoder's last state is the decoder's first."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.connection.summary import as_state, state_size
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
        if initial.parts and final != initial:
            raise ConfigError(
                "model.connection.kind: last needs an encoder and a decoder of one cell, depth and "
                f"width; found {_words(final)} and {_words(initial)}; choose projected or mean"
            )
        return LastConnection(final, initial, every_step=self.every_step)


class LastConnection(nn.Module):
    """Hands the state over; has no weights."""

    has_prior = False

    def __init__(self, final: StateShape, initial: StateShape, *, every_step: bool) -> None:
        super().__init__()
        self.initial = initial
        self.vector_dim = final.dim if every_step else 0
        self.code_dim = state_size(initial) if initial.parts else final.dim

    def forward(self, output: EncoderOutput) -> Connected:
        """Return the decoder's first state."""
        vector = output.final_state[0][-1] if self.vector_dim else None  # [B, D]
        return Connected(output.final_state if self.initial.parts else (), vector)

    def code(self, output: EncoderOutput) -> Tensor:
        """Return all parts and layers of the state as one vector for each source, [B, C]."""
        if not self.initial.parts:
            return output.final_state[0][-1]
        return torch.stack(output.final_state).permute(2, 0, 1, 3).flatten(1)

    def connect(self, code: Tensor) -> Connected:
        """Return what the decoder starts from where the state is `code`, [B, C]."""
        initial = as_state(code, self.initial)
        top = initial[0][-1] if initial else code
        return Connected(initial, top if self.vector_dim else None)


def _words(shape: StateShape) -> str:
    return f"{shape.num_layers} layer(s) of {shape.dim} x {shape.parts} part(s)"

"""Initialize the decoder with the encoder's final state."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.connection.summary import as_state, state_size
from s2scli.model.states import Connected, EncoderOutput, StateShape
from s2scli.settings import Settings, setting


class LastConnectionSettings(Settings):
    """Copy the encoder's final state to the decoder, layer by layer (Sutskever et al. 2014)."""

    kind: Literal["last"] = setting("last", "Copy the encoder's final state to the decoder.")
    every_step: bool = setting(
        False, "Also feed the top layer's final state to the decoder at every step."
    )

    def build(self, final: StateShape, memory_dim: int, initial: StateShape) -> "LastConnection":
        """Return the connection.

        Raises:
            ConfigError: the states of encoder and decoder have different shapes.
        """
        if initial.parts and final != initial:
            raise ConfigError(
                "model.connection.kind: last needs an encoder and a decoder with the same cell, "
                f"depth and width; found {_words(final)} and {_words(initial)}; choose projected "
                "or mean"
            )
        return LastConnection(final, initial, every_step=self.every_step)


class LastConnection(nn.Module):
    """Copies the encoder's final state to the decoder; it has no parameters."""

    has_prior = False

    def __init__(self, final: StateShape, initial: StateShape, *, every_step: bool) -> None:
        super().__init__()
        self.initial = initial
        self.vector_dim = final.dim if every_step else 0
        self.code_dim = state_size(initial) if initial.parts else final.dim

    def forward(self, output: EncoderOutput) -> Connected:
        """Return the decoder's initial state, and the vector for every step if enabled."""
        vector = output.final_state[0][-1] if self.vector_dim else None  # [B, D]
        return Connected(output.final_state if self.initial.parts else (), vector)

    def code(self, output: EncoderOutput) -> Tensor:
        """Return the final state of each source as one vector, [B, C].

        It contains all parts and layers. For a decoder without a recurrent state, it is the top
        layer's state only.
        """
        if not self.initial.parts:
            return output.final_state[0][-1]
        return torch.stack(output.final_state).permute(2, 0, 1, 3).flatten(1)

    def connect(self, code: Tensor) -> Connected:
        """Turn codes [B, C] into the decoder's initial state and vector."""
        initial = as_state(code, self.initial)
        top = initial[0][-1] if initial else code
        return Connected(initial, top if self.vector_dim else None)


def _words(shape: StateShape) -> str:
    return f"{shape.num_layers} layer(s) of {shape.dim} x {shape.parts} part(s)"

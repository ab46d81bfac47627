"""A Transformer decoder with a simple recurrent unit in the place of self-attention."""

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from s2scli.errors import ConfigError
from s2scli.model.decoder.settings import AttentionBuilder
from s2scli.model.decoder.transformer import TransformerDecoder, TransformerState
from s2scli.model.states import StateShape
from s2scli.model.transformer.settings import StackSettings
from s2scli.model.transformer.ssru import SSRU
from s2scli.settings import setting


class SSRUDecoderSettings(StackSettings):
    """Settings of a Transformer decoder without self-attention (Kim et al. 2019)."""

    kind: Literal["ssru"] = setting(
        "ssru",
        "Transformer with a simpler simple recurrent unit in the place of self-attention: the cost "
        "of a step does not grow with the length of the output (Kim et al. 2019).",
    )

    @property
    def state_shape(self) -> StateShape:
        """The shape of the initial state: it has no parts."""
        return StateShape(0, self.num_layers, self.model_dim)

    def build(
        self, input_dim: int, memory_dim: int, vector_dim: int, attention: AttentionBuilder
    ) -> "SSRUDecoder":
        """Return the decoder.

        Args:
            input_dim: width of the target embeddings.
            memory_dim: width of the memory.
            vector_dim: width of the connection's vector; 0 if there is none.
            attention: the settings of the attention.

        Raises:
            ConfigError: the positions are rotary, or a grid has no columns.
        """
        if self.positions == "rotary":
            raise ConfigError(
                "model.decoder.positions: rotary turns the queries and keys of self-attention, and "
                "a decoder of kind ssru has none; choose sinusoidal or learned"
            )
        self.check("model.decoder")
        return SSRUDecoder(self, self.make_unit, input_dim, memory_dim, vector_dim, attention)

    def make_unit(self) -> SSRU:
        """Return the recurrent unit of one layer."""
        return SSRU(self.model_dim)


@dataclass(frozen=True)
class SSRUState(TransformerState):
    """The state of the decoder between steps; its caches are the cells of each layer."""

    def reorder(self, indices: Tensor) -> "SSRUState":
        """Return the state of the rows with these indices; the memory is unchanged."""
        return replace(self, caches=tuple(cells.reorder(indices) for cells in self.caches))


class SSRUDecoder(TransformerDecoder):
    """A Transformer decoder whose state has one vector per row and layer."""

    state_type = SSRUState

"""The protocol of attention settings that decoders use."""

from typing import Protocol

from s2scli.model.attention.memory import Attention


class AttentionBuilder(Protocol):
    """Attention settings; a decoder builds one module for each layer with attention."""

    def build(self, query_dim: int, memory_dim: int) -> Attention | None:
        """Return the attention module for these widths; None for no attention."""
        ...

"""The protocol of attention settings, as decoders use it."""

from typing import Protocol

from s2scli.model.attention.memory import Attention


class AttentionBuilder(Protocol):
    """Settings of an attention; a decoder builds one module for each layer with attention."""

    def build(self, query_dim: int, memory_dim: int) -> Attention | None:
        """Return the attention module for these widths; None for no attention."""
        ...

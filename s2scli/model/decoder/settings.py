"""What the settings of a decoder need of those of an attention."""

from typing import Protocol

from s2scli.model.attention.memory import Attention


class AttentionBuilder(Protocol):
    """The settings of an attention: a decoder builds one for each layer that attends."""

    def build(self, query_dim: int, memory_dim: int) -> Attention | None:
        """Return the attention of queries over a memory; None for no attention."""
        ...

"""What a decoder's settings need of an attention's."""

from typing import Protocol

from s2scli.model.attention.memory import Attention


class AttentionBuilder(Protocol):
    """The settings of an attention: a decoder builds one for each place that attends."""

    def build(self, query_dim: int, memory_dim: int) -> Attention | None:
        """Return the attention of queries over a memory; None is none."""
        ...

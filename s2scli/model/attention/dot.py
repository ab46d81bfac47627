"""Dot-product attention: queries and memory live in one space."""

from typing import Literal

from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.attention.memory import Attended, AttendedMemory, blend
from s2scli.settings import Settings, setting


class DotAttentionSettings(Settings):
    """score(q, k) = q . k (Luong et al. 2015, eq. 8, dot)."""

    kind: Literal["dot"] = setting("dot", "Dot product (Luong et al. 2015).")

    def build(self, query_dim: int, memory_dim: int) -> "DotAttention":
        """Return the attention of queries over a memory.

        Raises:
            ConfigError: the decoder's width is not the memory's.
        """
        if query_dim != memory_dim:
            raise ConfigError(
                f"model.attention.kind: dot needs a decoder as wide as the memory; found "
                f"model.decoder.model_dim {query_dim} and a memory of {memory_dim}; "
                "choose general or additive, or change the widths"
            )
        return DotAttention(memory_dim)


class DotAttention(nn.Module):
    """Scores by the dot product; has no weights."""

    num_heads = 1

    def __init__(self, memory_dim: int) -> None:
        super().__init__()
        self.output_dim = memory_dim

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """The keys are the memory itself, [B, S, D]."""
        return AttendedMemory(memory, memory, mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Read the memory with queries [N, T, Dq]."""
        return blend(self.score, query, memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """[B, Q, D] and [B, S, D] to [B, Q, S]."""
        return query @ keys.transpose(1, 2)

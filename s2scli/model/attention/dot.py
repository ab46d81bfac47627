"""Dot-product attention between queries and memory of the same width."""

from typing import Literal

from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.attention.memory import Attended, AttendedMemory, blend
from s2scli.settings import Settings, setting


class DotAttentionSettings(Settings):
    """Dot-product attention: score(q, k) = q . k (Luong et al. 2015, eq. 8, dot)."""

    kind: Literal["dot"] = setting("dot", "Dot-product attention (Luong et al. 2015).")

    def build(self, query_dim: int, memory_dim: int) -> "DotAttention":
        """Return the attention module for queries and a memory of these widths.

        Raises:
            ConfigError: the decoder and the memory have different widths.
        """
        if query_dim != memory_dim:
            raise ConfigError(
                f"model.attention.kind: dot needs a decoder and a memory of equal width; found "
                f"model.decoder.model_dim {query_dim} and memory width {memory_dim}; "
                "choose general or additive, or change the widths"
            )
        return DotAttention(memory_dim)


class DotAttention(nn.Module):
    """Attention scored by the dot product; it has no parameters."""

    num_heads = 1
    covers = False

    def __init__(self, memory_dim: int) -> None:
        super().__init__()
        self.output_dim = memory_dim

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Return the memory [B, S, D] as both keys and values."""
        return AttendedMemory(memory, memory, mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Return contexts and weights for queries [N, T, Dq]."""
        return blend(self.score, query, memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, Q, S] of queries [B, Q, D] and keys [B, S, D]."""
        return query @ keys.transpose(1, 2)

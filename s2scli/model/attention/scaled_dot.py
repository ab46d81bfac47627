"""Scaled dot-product attention over projected queries and keys."""

from typing import Literal

from torch import Tensor, nn

from s2scli.model.attention.memory import Attended, AttendedMemory, blend
from s2scli.model.kernels.linear import Linear
from s2scli.settings import Settings, setting


class ScaledDotAttentionSettings(Settings):
    """Scaled dot-product attention: W q . U k / sqrt(d_k) (Vaswani et al. 2017, eq. 1)."""

    kind: Literal["scaled_dot"] = setting(
        "scaled_dot", "Scaled dot-product attention (Vaswani et al. 2017)."
    )
    attention_dim: int = setting(256, "Width of queries and keys, d_k.", "units", ge=1, le=16384)

    def build(self, query_dim: int, memory_dim: int) -> "ScaledDotAttention":
        """Return the attention module for queries and a memory of these widths."""
        return ScaledDotAttention(query_dim, memory_dim, self.attention_dim)


class ScaledDotAttention(nn.Module):
    """Attention scored by the dot product of projections, divided by the root of their width."""

    num_heads = 1
    covers = False

    def __init__(self, query_dim: int, memory_dim: int, attention_dim: int) -> None:
        super().__init__()
        self.output_dim = memory_dim
        self.query = Linear(query_dim, attention_dim, bias=False)
        self.key = Linear(memory_dim, attention_dim, bias=False)
        self.scale = attention_dim**-0.5

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Compute the keys of a memory [B, S, D], once per sentence."""
        return AttendedMemory(self.key(memory), memory, mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Return contexts and weights for queries [N, T, Dq]."""
        return blend(self.score, query, memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, Q, S] of queries [B, Q, Dq] and keys [B, S, d_k]."""
        queries: Tensor = self.query(query) * self.scale
        return queries @ keys.transpose(1, 2)

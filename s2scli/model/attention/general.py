"""General (bilinear) attention: a dot product with a learned weight matrix."""

from typing import Literal

from torch import Tensor, nn

from s2scli.model.attention.memory import Attended, AttendedMemory, blend
from s2scli.model.kernels.linear import Linear
from s2scli.settings import Settings, setting


class GeneralAttentionSettings(Settings):
    """General attention: score(q, k) = q . W k (Luong et al. 2015, eq. 8, general)."""

    kind: Literal["general"] = setting(
        "general", "General (bilinear) attention (Luong et al. 2015)."
    )

    def build(self, query_dim: int, memory_dim: int) -> "GeneralAttention":
        """Return the attention module for queries and a memory of these widths."""
        return GeneralAttention(query_dim, memory_dim)


class GeneralAttention(nn.Module):
    """Attention scored by q . W k; W k is computed once per sentence."""

    num_heads = 1
    covers = False

    def __init__(self, query_dim: int, memory_dim: int) -> None:
        super().__init__()
        self.output_dim = memory_dim
        self.key = Linear(memory_dim, query_dim, bias=False)

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Compute the keys of a memory [B, S, D], once per sentence."""
        return AttendedMemory(self.key(memory), memory, mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Return contexts and weights for queries [N, T, Dq]."""
        return blend(self.score, query, memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, Q, S] of queries [B, Q, Dq] and keys [B, S, Dq]."""
        return query @ keys.transpose(1, 2)

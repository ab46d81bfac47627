"""General attention: a dot product through a learned matrix."""

from typing import Literal

from torch import Tensor, nn

from s2scli.settings import Settings, setting


class GeneralAttentionSettings(Settings):
    """score(q, k) = q . W k (Luong et al. 2015, eq. 8, general)."""

    kind: Literal["general"] = setting("general", "Bilinear (Luong et al. 2015).")

    def build(self, query_dim: int, memory_dim: int) -> "GeneralAttention":
        """Return the attention of queries over a memory."""
        return GeneralAttention(query_dim, memory_dim)


class GeneralAttention(nn.Module):
    """Scores by q . W k; W k is computed once for each sentence."""

    def __init__(self, query_dim: int, memory_dim: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory_dim, query_dim, bias=False)

    def make_keys(self, memory: Tensor) -> Tensor:
        """[B, S, D] to [B, S, Dq]."""
        keys: Tensor = self.key(memory)
        return keys

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """[B, Q, Dq] and [B, S, Dq] to [B, Q, S]."""
        return query @ keys.transpose(1, 2)

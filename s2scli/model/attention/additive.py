"""Additive attention: a small network scores each query against each key."""

from typing import Literal

from torch import Tensor, nn

from s2scli.model.attention.memory import Attended, AttendedMemory, blend
from s2scli.model.kernels.additive import additive_scores
from s2scli.model.kernels.linear import Linear
from s2scli.settings import Settings, setting


class AdditiveAttentionSettings(Settings):
    """Additive attention: score(q, k) = v . tanh(W q + U k) (Bahdanau et al. 2015, A.1.2)."""

    kind: Literal["additive"] = setting("additive", "Additive attention (Bahdanau et al. 2015).")
    attention_dim: int = setting(
        256, "Hidden width of the scoring network.", "units", ge=1, le=16384
    )

    def build(self, query_dim: int, memory_dim: int) -> "AdditiveAttention":
        """Return the attention module for queries and a memory of these widths."""
        return AdditiveAttention(query_dim, memory_dim, self.attention_dim)


class AdditiveAttention(nn.Module):
    """Attention scored by a network with one hidden layer."""

    num_heads = 1

    def __init__(self, query_dim: int, memory_dim: int, attention_dim: int) -> None:
        super().__init__()
        self.output_dim = memory_dim
        self.query = Linear(query_dim, attention_dim, bias=False)
        self.key = Linear(memory_dim, attention_dim)
        self.weight = Linear(attention_dim, 1, bias=False)

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Compute the keys of a memory [B, S, D], once per sentence."""
        return AttendedMemory(self.key(memory), memory, mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Return contexts and weights for queries [N, T, Dq]."""
        return blend(self.score, query, memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, Q, S] of queries [B, Q, Dq] and keys [B, S, K].

        With `attend = "after"`, training scores the whole target in one call, which takes more
        memory than any other part of the model.
        """
        return additive_scores(self.query(query), keys, self.weight.weight[0].to(keys.dtype))

"""Additive attention: a small network scores each query against each key."""

import functools
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
    coverage: bool = setting(
        False,
        "Let the scores depend on the attention paid so far, so that no part of the source is "
        "translated twice or left out (Tu et al. 2016; See et al. 2017, eq. 11); a recurrent "
        "decoder then runs step by step.",
    )

    def build(self, query_dim: int, memory_dim: int) -> "AdditiveAttention":
        """Return the attention module for queries and a memory of these widths."""
        return AdditiveAttention(query_dim, memory_dim, self.attention_dim, covers=self.coverage)


class AdditiveAttention(nn.Module):
    """Attention scored by a network with one hidden layer."""

    num_heads = 1

    def __init__(
        self, query_dim: int, memory_dim: int, attention_dim: int, *, covers: bool = False
    ) -> None:
        super().__init__()
        self.output_dim = memory_dim
        self.query = Linear(query_dim, attention_dim, bias=False)
        self.key = Linear(memory_dim, attention_dim)
        self.weight = Linear(attention_dim, 1, bias=False)
        self.covers = covers
        self.coverage = nn.Linear(1, attention_dim, bias=False) if covers else None

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Compute the keys of a memory [B, S, D], once per sentence."""
        return AttendedMemory(self.key(memory), memory, mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Return contexts and weights for queries [N, T, Dq]."""
        if memory.coverage is None:
            return blend(self.score, query, memory)
        paid = memory.coverage.view(len(memory.keys), -1, memory.keys.shape[1])  # [B, Q, S]
        return blend(functools.partial(self._score_covered, paid), query, memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, Q, S] of queries [B, Q, Dq] and keys [B, S, K].

        With `attend = "after"`, training scores the whole target in one call, which takes more
        memory than any other part of the model.
        """
        return additive_scores(self.query(query), keys, self.weight.weight[0].to(keys.dtype))

    def _score_covered(self, paid: Tensor, query: Tensor, keys: Tensor) -> Tensor:
        """Return v . tanh(W q + U k + w c), [B, Q, S] (See et al. 2017, eq. 11).

        Args:
            paid: the attention that each query's row has paid to each key so far, c, [B, Q, S].
            query: [B, Q, Dq].
            keys: [B, S, K].
        """
        assert self.coverage is not None, "only attention with coverage is given it"
        seen = keys[:, None] + self.coverage(paid[..., None])  # [B, Q, S, K]
        scores: Tensor = self.weight((self.query(query)[:, :, None] + seen).tanh())
        return scores[..., 0]

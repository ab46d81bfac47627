"""Additive attention: a small network scores each pair."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from s2scli.model.attention.memory import Attended, AttendedMemory, blend
from s2scli.model.layers.linear import Linear
from s2scli.model.layers.tanh import logistic_is_quicker
from s2scli.settings import Settings, setting


class AdditiveAttentionSettings(Settings):
    """score(q, k) = v . tanh(W q + U k) (Bahdanau et al. 2015, A.1.2)."""

    kind: Literal["additive"] = setting("additive", "Additive attention (Bahdanau et al. 2015).")
    attention_dim: int = setting(256, "Width of the scoring network.", "units", ge=1, le=16384)

    def build(self, query_dim: int, memory_dim: int) -> "AdditiveAttention":
        """Return the attention of queries over a memory."""
        return AdditiveAttention(query_dim, memory_dim, self.attention_dim)


class AdditiveAttention(nn.Module):
    """Scores by a network with one hidden layer."""

    num_heads = 1

    def __init__(self, query_dim: int, memory_dim: int, attention_dim: int) -> None:
        super().__init__()
        self.output_dim = memory_dim
        self.query = Linear(query_dim, attention_dim, bias=False)
        self.key = Linear(memory_dim, attention_dim)
        self.weight = Linear(attention_dim, 1, bias=False)

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Make the keys of a memory [B, S, D], once for each sentence."""
        return AttendedMemory(self.key(memory), memory, mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, with_weights: bool) -> Attended:
        """Read the memory with queries [N, T, Dq]."""
        return blend(self.score, query, memory)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """[B, Q, Dq] and [B, S, K] to [B, Q, S].

        All pairs are in memory at once, [B, Q, S, K]: with `attend = "after"`, where one call
        scores the whole target, much more than any other part of the model takes.
        """
        if logistic_is_quicker(keys):
            return self._score_by_logistic(query, keys)
        scores: Tensor = _AdditiveScores.apply(  # type: ignore[no-untyped-call]
            self.query(query), keys, self.weight.weight[0].to(keys.dtype)
        )
        return scores

    def _score_by_logistic(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return v . tanh(x) as 2 v . s(2 x) - sum(v), [B, Q, S]."""
        weight = self.weight.weight[0].to(keys.dtype)
        doubled = 2 * self.query(query)[:, :, None] + 2 * keys[:, None]  # [B, Q, S, K]
        scores: Tensor = doubled.sigmoid_() @ (2 * weight) - weight.sum()
        return scores


class _AdditiveScores(torch.autograd.Function):
    """v . tanh(q_i + k_j) for all pairs, in one place of [B, Q, S, K] forward and backward."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
        """[B, Q, K], [B, S, K] and [K] to [B, Q, S]."""
        hidden = (query[:, :, None] + keys[:, None]).tanh_()
        ctx.save_for_backward(weight)
        ctx.hidden = hidden
        return hidden @ weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return v (1 - h_ij^2) summed over j and over i, and h_ij summed over both."""
        (weight,) = ctx.saved_tensors
        hidden = ctx.hidden
        del ctx.hidden  # it is written over, so once only
        for_weight = gradient.flatten() @ hidden.flatten(0, 2)
        outer = gradient[..., None].expand_as(hidden)
        slopes = torch.ops.aten.tanh_backward.grad_input(outer, hidden, grad_input=hidden)
        return slopes.sum(2) * weight, slopes.sum(1) * weight, for_weight

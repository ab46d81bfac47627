"""Scores of additive attention, with a hidden vector for every pair of query and key."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2scli.model.kernels.tanh import BY_LOGISTIC


def additive_scores(query: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
    """Return v . tanh(q_i + k_j) for all pairs, [B, Q, S].

    The hidden vectors of all pairs, [B, Q, S, K], are in memory at the same time.

    Args:
        query: [B, Q, K].
        keys: [B, S, K].
        weight: v, [K].
    """
    if BY_LOGISTIC.runs(keys):  # v . tanh(x) = 2 v . s(2 x) - sum(v)
        doubled = 2 * query[:, :, None] + 2 * keys[:, None]  # [B, Q, S, K]
        return doubled.sigmoid_() @ (2 * weight) - weight.sum()
    scores: Tensor = _AdditiveScores.apply(query, keys, weight)  # type: ignore[no-untyped-call]
    return scores


class _AdditiveScores(torch.autograd.Function):
    """v . tanh(q_i + k_j) for all pairs; `backward` reuses the [B, Q, S, K] memory of `forward`."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
        """Return the scores [B, Q, S] of [B, Q, K] queries and [B, S, K] keys."""
        hidden = (query[:, :, None] + keys[:, None]).tanh_()
        ctx.save_for_backward(weight)
        ctx.hidden = hidden
        return hidden @ weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of the queries, the keys and the weight."""
        (weight,) = ctx.saved_tensors
        hidden = ctx.hidden
        del ctx.hidden  # it is overwritten below, so a second backward pass must fail
        for_weight = gradient.flatten() @ hidden.flatten(0, 2)
        outer = gradient[..., None].expand_as(hidden)
        slopes = torch.ops.aten.tanh_backward.grad_input(outer, hidden, grad_input=hidden)
        return slopes.sum(2) * weight, slopes.sum(1) * weight, for_weight

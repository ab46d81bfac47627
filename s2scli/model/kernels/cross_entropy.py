"""The output layer and its label-smoothed cross-entropy in one, without the logits of a batch."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from s2scli.model.kernels.linear import multiply

ROWS_AT_ONCE = 512  # of logits; with 8,000 tokens 16 MB, and more rows were no faster


def label_smoothed_cross_entropy(
    hidden: Tensor, layer: nn.Linear, target: Tensor, smoothing: float
) -> Tensor:
    """Return the sum over tokens of -sum_v q(v) log p(v), a scalar; p is softmax(layer(hidden)).

    q = (1 - e) [v = target] + e / V (Szegedy et al. 2016, section 7).

    Args:
        hidden: [tokens, D].
        layer: the output layer, D to V; multiplied in the arithmetic of an autocast around.
        target: [tokens].
        smoothing: e.
    """
    loss: Tensor = _OutputCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, layer.weight, layer.bias, target, smoothing
    )
    return loss


class _OutputCrossEntropy(torch.autograd.Function):
    """The output layer and its loss in one, some rows at a time.

    The gradient is computed with the loss, while the logits of a few rows lie in the processor's
    cache, so that neither logits nor probabilities are ever held as [tokens, V].
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float
    ) -> Tensor:
        """Return the loss; keep the gradients of what needs one."""
        for_hidden, for_weight, for_bias = ctx.needs_input_grad[:3]
        hidden_gradient = torch.empty_like(hidden) if for_hidden else None
        weight_gradient = torch.zeros_like(weight) if for_weight else None
        bias_gradient = torch.zeros_like(bias) if for_bias else None
        loss = hidden.new_zeros((), dtype=weight.dtype)
        for start in range(0, len(hidden), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            logits = multiply(hidden[rows], weight, bias).to(weight.dtype)
            share, gradient = _smoothed_cross_entropy_(logits, target[rows, None], smoothing)
            loss += share
            if hidden_gradient is not None:
                hidden_gradient[rows] = multiply(gradient, weight.t())
            if weight_gradient is not None:
                weight_gradient += multiply(gradient.t(), hidden[rows].t())
            if bias_gradient is not None:
                bias_gradient += gradient.sum(0)
        ctx.gradients = (hidden_gradient, weight_gradient, bias_gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients, times that of the loss."""
        gradients = [None if kept is None else kept.mul_(scale) for kept in ctx.gradients]
        del ctx.gradients  # they are scaled in place, so once only
        return (*gradients, None, None)


def _smoothed_cross_entropy_(
    logits: Tensor, target: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Return the loss of some rows and its gradient, p(v) - q(v), which overwrites the logits.

    The loss is lse_t - (1 - e) logit_t,target - e / V sum_v logit_t,v, summed over rows t.

    Args:
        logits: [rows, V]; overwritten.
        target: [rows, 1].
        smoothing: e.
    """
    chosen = logits.gather(-1, target)
    mean = logits.mean(-1, keepdim=True) if smoothing else 0.0
    largest = logits.amax(-1, keepdim=True)
    unscaled = logits.sub_(largest).exp_()
    total = unscaled.sum(-1, keepdim=True)
    loss = (total.log() + largest - (1 - smoothing) * chosen - smoothing * mean).sum()
    gradient = unscaled.mul_(total.reciprocal())
    if smoothing:
        gradient.sub_(smoothing / logits.shape[-1])
    gradient.scatter_add_(-1, target, torch.full_like(chosen, smoothing - 1))
    return loss, gradient

"""The output layer and its label-smoothed cross-entropy, without storing a batch's logits."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from s2scli.model.kernels.linear import multiply

ROWS_AT_ONCE = 512  # rows of logits; 16 MB with a vocabulary of 8,000; more was not faster
LOGITS_AT_ONCE = 2**26  # on a GPU: 256 MB, so that few and large products fill it


def label_smoothed_cross_entropy(
    hidden: Tensor, layer: nn.Linear, target: Tensor, smoothing: float
) -> Tensor:
    """Return the label-smoothed cross-entropy summed over tokens, a scalar.

    The loss of a token is -sum_v q(v) log p(v), where p = softmax(layer(hidden)) and
    q(v) = (1 - e) [v = target] + e / V (Szegedy et al. 2016, section 7).

    Args:
        hidden: [tokens, D].
        layer: the output layer, from D to V units. Under autocast, its products use the type of
            autocast.
        target: [tokens].
        smoothing: e.
    """
    loss: Tensor = _OutputCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, layer.weight, layer.bias, target, smoothing
    )
    return loss


class _OutputCrossEntropy(torch.autograd.Function):
    """The output layer and its loss in one function, computed a few rows at a time.

    The gradient is computed together with the loss, while the logits of these rows are in the
    processor's cache. The full [tokens, V] matrices of logits and probabilities are never stored.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float
    ) -> Tensor:
        """Return the loss, and store the gradients of the inputs that require one."""
        for_hidden, for_weight, for_bias = ctx.needs_input_grad[:3]
        hidden_gradient = torch.empty_like(hidden) if for_hidden else None
        weight_gradient = torch.zeros_like(weight) if for_weight else None
        bias_gradient = torch.zeros_like(bias) if for_bias else None
        loss = hidden.new_zeros((), dtype=weight.dtype)
        at_once = rows_at_once(hidden.device, len(weight))
        for start in range(0, len(hidden), at_once):
            rows = slice(start, start + at_once)
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
        """Return the stored gradients, multiplied by the gradient of the loss."""
        gradients = [None if kept is None else kept.mul_(scale) for kept in ctx.gradients]
        del ctx.gradients  # scaled in place, so a second backward pass must fail
        return (*gradients, None, None)


def rows_at_once(device: torch.device, vocab_size: int) -> int:
    """Return the rows of logits to compute together: a cacheful on a processor, many on a GPU."""
    return ROWS_AT_ONCE if device.type == "cpu" else max(ROWS_AT_ONCE, LOGITS_AT_ONCE // vocab_size)


def _smoothed_cross_entropy_(
    logits: Tensor, target: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Return the loss of some rows, and its gradient p(v) - q(v), which overwrites the logits.

    The loss is lse_t - (1 - e) logit_t,target - e / V sum_v logit_t,v, summed over rows t, where
    lse is the log of the sum of exp(logit).

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

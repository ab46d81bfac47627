"""The log-probabilities of a few tokens per row, without storing a batch's logits."""

import contextlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from s2scli.model.kernels.cross_entropy import rows_at_once
from s2scli.model.kernels.linear import multiply


def chosen_log_probs(hidden: Tensor, layer: nn.Linear, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return log softmax(layer(hidden)) at chosen tokens, and its mean over the vocabulary.

    The full matrices of logits and of their gradients are never in memory; `backward` computes the
    logits again.

    Args:
        hidden: [rows, D].
        layer: the output layer, from D to V units.
        columns: the C chosen tokens of each row, [rows, C].

    Returns:
        The log-probabilities [rows, C], and their means over all V tokens [rows].
    """
    chosen, mean = _ChosenLogProbs.apply(  # type: ignore[no-untyped-call]
        hidden, layer.weight, layer.bias, columns
    )
    return chosen, mean


class _ChosenLogProbs(torch.autograd.Function):
    """The output layer and the log-softmax in one function, computed a few rows at a time."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the chosen log-probabilities [rows, C] and the means [rows]."""
        chosen = weight.new_empty(columns.shape)
        mean, total = (weight.new_empty(len(columns)) for _ in range(2))
        product = weight.dtype
        for rows in _chunks(hidden, weight):
            raw = multiply(hidden[rows], weight, bias)
            product, logits = raw.dtype, raw.to(weight.dtype)
            total[rows] = logits.logsumexp(-1)
            chosen[rows] = logits.gather(-1, columns[rows]) - total[rows, None]
            mean[rows] = logits.mean(-1) - total[rows]
        ctx.product = product
        ctx.save_for_backward(hidden, weight, bias, columns, total)
        return chosen, mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, for_chosen: Tensor, for_mean: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the hidden states, the weight and the bias.

        The gradient of a logit is that of the tokens chosen there, plus that of the mean divided
        by V, less the token's probability times the sum of the row's gradients.
        """
        hidden, weight, bias, columns, total = ctx.saved_tensors
        hidden_gradient = torch.empty_like(hidden)
        weight_gradient, bias_gradient = torch.zeros_like(weight), torch.zeros_like(bias)
        lower = ctx.product != weight.dtype  # then the forward pass ran under autocast
        device = hidden.device.type
        with torch.autocast(device, ctx.product) if lower else contextlib.nullcontext():
            for rows in _chunks(hidden, weight):
                logits = multiply(hidden[rows], weight, bias).to(weight.dtype)
                gradient = logits.sub_(total[rows, None]).exp_()
                gradient.mul_(-(for_chosen[rows].sum(-1) + for_mean[rows])[:, None])
                gradient.add_(for_mean[rows, None] / len(weight))
                gradient.scatter_add_(-1, columns[rows], for_chosen[rows])
                hidden_gradient[rows] = multiply(gradient, weight.t()).to(hidden.dtype)
                weight_gradient += multiply(gradient.t(), hidden[rows].t())
                bias_gradient += gradient.sum(0)
        return hidden_gradient, weight_gradient, bias_gradient, None


def _chunks(hidden: Tensor, weight: Tensor) -> list[slice]:
    size = rows_at_once(hidden.device, len(weight))
    return [slice(start, start + size) for start in range(0, len(hidden), size)]

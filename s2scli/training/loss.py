"""The training objective, and what is counted beside it."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LossSums:
    """Sums over the target tokens of a batch.

    Attributes:
        objective: label-smoothed cross-entropy in nats, what is minimised, a scalar.
        cross_entropy: the plain one, in nats, a scalar.
        correct: tokens whose most probable guess is right, a scalar.
        tokens: target tokens, the end token counted.
    """

    objective: Tensor
    cross_entropy: Tensor
    correct: Tensor
    tokens: int


def label_smoothed_cross_entropy(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Return the sum over tokens of -sum_v q(v) log p(v), a scalar.

    q = (1 - e) [v = target] + e / V (Szegedy et al. 2016, section 7).

    Args:
        logits: [tokens, V].
        target: [tokens].
        smoothing: e.
    """
    loss: Tensor = _SmoothedCrossEntropy.apply(logits, target, smoothing)  # type: ignore[no-untyped-call]
    return loss


class _SmoothedCrossEntropy(torch.autograd.Function):
    """The same as F.cross_entropy, whose backward is slow and keeps another [tokens, V]."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
        """Return sum_t lse_t - (1 - e) logit_t,target - e / V sum_v logit_t,v."""
        normaliser = logits.logsumexp(-1)  # [tokens]
        chosen = logits.gather(-1, target[:, None]).squeeze(-1)
        ctx.save_for_backward(logits, target, normaliser)
        ctx.smoothing = smoothing
        loss = normaliser - (1 - smoothing) * chosen
        return (loss - smoothing * logits.mean(-1) if smoothing else loss).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return p(v) - q(v), q as in `label_smoothed_cross_entropy`."""
        logits, target, normaliser = ctx.saved_tensors
        spread, share = ctx.smoothing / logits.shape[-1], 1 - ctx.smoothing
        difference = torch.exp_(logits - normaliser[:, None]).sub_(spread)
        difference.scatter_add_(
            -1, target[:, None], torch.full_like(target[:, None], -share, dtype=logits.dtype)
        )
        return difference.mul_(gradient), None, None


def score_batch(logits: Tensor, target: Tensor, smoothing: float) -> LossSums:
    """Return every sum for validation, without gradients."""
    with torch.no_grad():
        return LossSums(
            label_smoothed_cross_entropy(logits, target, smoothing),
            F.cross_entropy(logits, target, reduction="sum"),
            (logits.argmax(-1) == target).sum(),
            len(target),
        )


def symmetric_divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Return the sum over tokens of (KL(p || q) + KL(q || p)) / 2 in nats, a scalar.

    It is sum_v (p(v) - q(v)) (log p(v) - log q(v)) / 2 (Liang et al. 2021, eq. 2).

    Args:
        logits: of p, [tokens, V].
        others: of q, [tokens, V].
    """
    log_p, log_q = F.log_softmax(logits, -1), F.log_softmax(others, -1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum() / 2

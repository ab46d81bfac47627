"""Losses summed over the target tokens of a batch, for validation, R-Drop and SimCut."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LossSums:
    """Sums over the target tokens of a batch.

    Attributes:
        objective: cross-entropy with label smoothing, in nats, a scalar.
        cross_entropy: cross-entropy without label smoothing, in nats, a scalar.
        correct: number of tokens that the model predicts correctly, a scalar.
        tokens: number of target tokens, end tokens included.
    """

    objective: Tensor
    cross_entropy: Tensor
    correct: Tensor
    tokens: int


def score_batch(logits: Tensor, target: Tensor, smoothing: float) -> LossSums:
    """Return the sums of a batch for validation, computed without gradients."""
    with torch.no_grad():
        return LossSums(
            F.cross_entropy(logits, target, reduction="sum", label_smoothing=smoothing),
            F.cross_entropy(logits, target, reduction="sum"),
            (logits.argmax(-1) == target).sum(),
            len(target),
        )


def symmetric_divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Return the sum over tokens of (KL(p || q) + KL(q || p)) / 2 in nats, a scalar.

    It is sum_v (p(v) - q(v)) (log p(v) - log q(v)) / 2 (Liang et al. 2021, eq. 2).

    Args:
        logits: logits of p, [tokens, V].
        others: logits of q, [tokens, V].
    """
    log_p, log_q = F.log_softmax(logits, -1), F.log_softmax(others, -1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum() / 2


def divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Return the sum over tokens of KL(p || q) in nats, a scalar.

    Args:
        logits: logits of p, [tokens, V].
        others: logits of q, [tokens, V].
    """
    log_p, log_q = F.log_softmax(logits, -1), F.log_softmax(others, -1)
    return (log_p.exp() * (log_p - log_q)).sum()

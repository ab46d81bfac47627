"""The training objective, and what is counted beside it."""

from dataclasses import dataclass

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
    return F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="sum")


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

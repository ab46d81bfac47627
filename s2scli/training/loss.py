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


def score_batch(
    logits: Tensor, target: Tensor, smoothing: float, vocab_size: int | None = None
) -> LossSums:
    """Return the sums of a batch for validation, computed without gradients.

    Args:
        logits: [tokens, V]; of a model that copies, log-probabilities [tokens, V + S].
        target: [tokens].
        smoothing: the share of probability that is spread evenly over the vocabulary.
        vocab_size: V; None if the logits have no further columns.
    """
    with torch.no_grad():
        cross_entropy = F.cross_entropy(logits, target, reduction="sum")
        if vocab_size in (None, logits.shape[-1]):
            objective = F.cross_entropy(logits, target, reduction="sum", label_smoothing=smoothing)
        else:
            spread = logits[:, :vocab_size].mean(-1).sum() if smoothing else 0.0
            objective = (1 - smoothing) * cross_entropy - smoothing * spread
        correct = (logits.argmax(-1) == target).sum()
        return LossSums(objective, cross_entropy, correct, len(target))


def coverage_loss(weights: Tensor, target_mask: Tensor) -> Tensor:
    """Return the attention to what has been attended to before, summed over tokens, a scalar.

    It is sum_t sum_i min(a_ti, c_ti), with c_t the sum of the weights before step t (See et al.
    2017, eq. 10 and 12).

    Args:
        weights: attention weights a, [B, T, S].
        target_mask: True at real tokens, [B, T].
    """
    before = weights.cumsum(1) - weights
    repeated = torch.minimum(weights, before).sum(-1)  # [B, T]
    return (repeated * target_mask).sum()


def symmetric_divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Return the sum over tokens of (KL(p || q) + KL(q || p)) / 2 in nats, a scalar.

    It is sum_v (p(v) - q(v)) (log p(v) - log q(v)) / 2 (Liang et al. 2021, eq. 2).

    Args:
        logits: logits of p, [tokens, V].
        others: logits of q, [tokens, V].
    """
    log_p, log_q = F.log_softmax(logits, -1), F.log_softmax(others, -1)
    return ((log_p.exp() - log_q.exp()) * _log_ratio(log_p, log_q)).sum() / 2


def divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Return the sum over tokens of KL(p || q) in nats, a scalar.

    Args:
        logits: logits of p, [tokens, V].
        others: logits of q, [tokens, V].
    """
    log_p, log_q = F.log_softmax(logits, -1), F.log_softmax(others, -1)
    return (log_p.exp() * _log_ratio(log_p, log_q)).sum()


def _log_ratio(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return log(p / q); 0 for tokens that are impossible in both, which count nothing."""
    return (log_p - log_q).masked_fill(log_p.isneginf(), 0.0)

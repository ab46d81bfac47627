"""Ranking scores, which compare outputs of different lengths."""

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # the formula also takes plain numbers, without torch
    from torch import Tensor

Sum = TypeVar("Sum", "Tensor", float)


def normalise(log_prob: Sum, length: "Tensor | int", exponent: float, offset: float = 0.0) -> Sum:
    """Return log P(y|x) / ((k + |y|) / (k + 1))^a, where |y| includes the end token.

    k = 5 gives the length penalty of Wu et al. 2016 (GNMT), eq. 14. k = 0 gives |y|^a, as in Marian
    and fairseq: a = 0 ranks by log-probability, a = 1 by the mean log-probability per token.

    Args:
        log_prob: sums of token log-probabilities, any shape.
        length: number of tokens, in a shape that broadcasts.
        exponent: the exponent a.
        offset: the offset k.
    """
    norm: Any = ((offset + length) / (offset + 1)) ** exponent
    score: Sum = log_prob / norm
    return score


def best_possible(
    log_prob: "Tensor", length: int, longest: "Tensor", exponent: float, offset: float = 0.0
) -> "Tensor":
    """Return the highest ranking score that a live hypothesis can still reach, [B].

    The sum of log-probabilities cannot rise as tokens are added, and it is at most 0, so dividing
    it by a larger length penalty raises the score. The bound is therefore the current sum at the
    maximum length.

    Args:
        log_prob: the best live sum of each sentence, [B].
        length: number of tokens so far.
        longest: maximum length of each sentence, end token included, [B].
        exponent: the exponent a of the length penalty.
        offset: the offset k of the length penalty.
    """
    return normalise(log_prob, longest.clamp(min=length + 1), exponent, offset)

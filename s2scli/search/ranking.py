"""How finished outputs of different lengths are compared."""

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # the formula is also for numbers, without torch
    from torch import Tensor

Sum = TypeVar("Sum", "Tensor", float)


def normalise(log_prob: Sum, length: "Tensor | int", exponent: float, offset: float = 0.0) -> Sum:
    """Return log P(y|x) / ((k + |y|) / (k + 1))^a, the length counting the end token.

    With k = 5 the length penalty of Wu et al. 2016 (GNMT), eq. 14. With k = 0 the plain form of
    it, |y|^a, as Marian and fairseq use it: a = 0 compares log-probabilities, a = 1 their mean for
    each token.

    Args:
        log_prob: sums of token log-probabilities, any shape.
        length: tokens of each, of a shape that broadcasts.
        exponent: a.
        offset: k.
    """
    norm: Any = ((offset + length) / (offset + 1)) ** exponent
    score: Sum = log_prob / norm
    return score


def best_possible(
    log_prob: "Tensor", length: int, longest: "Tensor", exponent: float, offset: float = 0.0
) -> "Tensor":
    """Return the highest ranking score that a live hypothesis can still reach, [B].

    Log-probabilities only fall, and the more tokens they are divided by the better, so no
    continuation of length + 1 to `longest` tokens ranks above this.

    Args:
        log_prob: the best live sum of each sentence, [B].
        length: tokens so far.
        longest: tokens each sentence may have, the end token counted, [B].
        exponent: a.
        offset: k.
    """
    return normalise(log_prob, longest.clamp(min=length + 1), exponent, offset)

"""How finished outputs of different lengths are compared."""

from torch import Tensor


def normalise(log_prob: Tensor, length: Tensor | int, exponent: float) -> Tensor:
    """Return log P(y|x) / |y|^a, the length counting the end token.

    The plain form of the penalty in Wu et al. 2016 (GNMT), eq. 14, as Marian and fairseq use it;
    a = 0 compares log-probabilities, a = 1 their mean for each token.

    Args:
        log_prob: sums of token log-probabilities, any shape.
        length: tokens of each, of a shape that broadcasts.
        exponent: a.
    """
    return log_prob / length**exponent


def best_possible(log_prob: Tensor, length: int, longest: Tensor, exponent: float) -> Tensor:
    """Return the highest ranking score that a live hypothesis can still reach, [B].

    Log-probabilities only fall, and the more tokens they are divided by the better, so no
    continuation of length + 1 to `longest` tokens ranks above this.

    Args:
        log_prob: the best live sum of each sentence, [B].
        length: tokens so far.
        longest: tokens each sentence may have, the end token counted, [B].
        exponent: a.
    """
    return normalise(log_prob, longest.clamp(min=length + 1), exponent)

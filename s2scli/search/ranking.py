"""Ranking scores, which compare outputs of different lengths."""

from typing import TYPE_CHECKING, Any, TypeVar

from s2scli.search.settings import SearchSettings

if TYPE_CHECKING:  # the formula also takes plain numbers, without torch
    from torch import Tensor

Sum = TypeVar("Sum", "Tensor", float)

LEAST_COVERED = 1e-9  # so that the logarithm stays finite


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


def rank(log_prob: Sum, length: "Tensor | int", settings: SearchSettings) -> Sum:
    """Return the ranking score without coverage: `normalise` plus the word reward x |y|.

    The word reward is that of He et al. 2016 (Improved neural machine translation with SMT
    features).

    Args:
        log_prob: sums of token log-probabilities, any shape.
        length: number of tokens, in a shape that broadcasts.
        settings: the search settings.
    """
    score = normalise(log_prob, length, settings.length_penalty, settings.length_offset)
    if not settings.word_reward:
        return score
    reward: Any = settings.word_reward * length
    rewarded: Sum = score + reward
    return rewarded


def best_possible(
    log_prob: "Tensor", length: int, longest: "Tensor", settings: SearchSettings
) -> "Tensor":
    """Return the highest ranking score that a live hypothesis can still reach, [B].

    The sum of log-probabilities cannot rise as tokens are added, and it is at most 0, so dividing
    it by a larger length penalty raises the score. The bound is therefore the current sum at the
    maximum length, plus the word reward for the maximum length, or for one token more if the reward
    is negative. The coverage penalty is at most 0.

    Args:
        log_prob: the best live sum of each sentence, [B].
        length: number of tokens so far.
        longest: maximum length of each sentence, end token included, [B].
        settings: the search settings.
    """
    longest = longest.clamp(min=length + 1)
    bound = normalise(log_prob, longest, settings.length_penalty, settings.length_offset)
    if not settings.word_reward:
        return bound
    return bound + settings.word_reward * (longest if settings.word_reward > 0 else length + 1)


def coverage(weights: "Tensor", positions: "Tensor") -> "Tensor":
    """Return the coverage penalty of Wu et al. 2016 (GNMT), eq. 14, without its weight B, [n].

    It is the sum over source tokens i of log(min(sum over target tokens of p_ij, 1)), where p_ij is
    the attention weight, averaged over the A maps of a model with several layers or heads. It is 0
    if every source token received a weight of at least 1, and below 0 otherwise. A token counts as
    having received at least 1e-9.

    Args:
        weights: attention weights of n hypotheses, [n, T, A, S].
        positions: number of encoder states of each source; the others are padding, [n].
    """
    received = weights.float().mean(2).sum(1)  # [n, S]
    padding = received.new_ones(received.shape).cumsum(1) > positions[:, None]
    return received.clamp(LEAST_COVERED, 1.0).log().masked_fill(padding, 0.0).sum(1)

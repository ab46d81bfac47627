"""Bootstrap resampling (Koehn 2004): confidence intervals and paired significance tests."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED = 12345  # sacreBLEU's
FEWEST = 40  # resamples needed for a tail of 2.5 % on each side


def resampled_scores(
    score_of: "Callable[[NDArray[np.int64]], float]", sentences: int, resamples: int
) -> tuple[float, ...]:
    """Return the scores of resampled test sets, drawn with a fixed seed.

    Because the seed is fixed, the scores of two systems on one test set are paired: the k-th score
    of each system is over the same sentences.

    Args:
        score_of: returns the score of the sentences with these indices, [sentences].
        sentences: size of the test set and of each resampled set, drawn with replacement.
        resamples: number of resampled sets; fewer than 40 give no scores.
    """
    import numpy as np

    if resamples < FEWEST:
        return ()
    generator = np.random.default_rng(SEED)
    draws = (generator.integers(sentences, size=sentences) for _ in range(resamples))
    return tuple(float(score_of(drawn)) for drawn in draws)


def interval_of(resampled: Sequence[float]) -> tuple[float, float] | None:
    """Return the 2.5 % and 97.5 % quantiles of resampled scores, or None without scores."""
    if not resampled:
        return None
    scores, cut = sorted(resampled), len(resampled) // FEWEST
    return scores[cut], scores[-cut - 1]


def paired_p(
    best: Sequence[float], other: Sequence[float], *, higher_is_better: bool = True
) -> float | None:
    """Return the p-value of a test that `best` is better than `other` (Koehn 2004, section 4).

    It is the share of resampled test sets on which `best` does not win. One such set is added, so
    that p is never 0.

    Args:
        best: resampled scores of the leading system.
        other: resampled scores of another system, over the same sentences.
        higher_is_better: whether the higher of two scores is better.

    Returns:
        The p-value, above 0 and at most 1, or None without resampled scores.
    """
    if not best:
        return None
    sign = 1 if higher_is_better else -1
    lost = sum(sign * one <= sign * two for one, two in zip(best, other, strict=True))
    return (lost + 1) / (len(best) + 1)


def resampled_ratios(
    numerators: Sequence[float], denominators: Sequence[float], resamples: int
) -> tuple[float, ...]:
    """Return sum(numerators) / sum(denominators) over resampled test sets; 0 / 0 is 0.

    Args:
        numerators: the numerator of each sentence.
        denominators: the denominator of each sentence, at least 0.
        resamples: number of test sets to draw.
    """
    import numpy as np

    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    return resampled_scores(
        lambda drawn: above[drawn].sum() / (below[drawn].sum() or 1.0), len(above), resamples
    )


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], resamples: int
) -> tuple[float, float] | None:
    """Return the interval of sum(numerators) / sum(denominators); see `resampled_ratios`."""
    return interval_of(resampled_ratios(numerators, denominators, resamples))


def bootstrap_signature(resamples: int) -> str:
    """Return the bootstrap part of a metric signature; empty without a bootstrap."""
    return f"|bs:{resamples}|seed:{SEED}" if resamples >= FEWEST else ""

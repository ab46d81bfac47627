"""The bootstrap (Koehn 2004): how far a score or a lead would move on another such test set."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED = 12345  # sacreBLEU's
FEWEST = 40  # with fewer resamples there is no 2.5 % on either side to cut off


def resampled_scores(
    score_of: "Callable[[NDArray[np.int64]], float]", sentences: int, resamples: int
) -> tuple[float, ...]:
    """Return a score over resampled test sets, which depend on nothing but the numbers given.

    The scores of two systems on one test set are therefore paired: the k-th of each is over the
    same sentences.

    Args:
        score_of: the score of the sentences with these indices, `[sentences]` of them.
        sentences: how many there are, and how many are drawn (with replacement) each time.
        resamples: how often to draw; below 40 there are no scores.
    """
    import numpy as np

    if resamples < FEWEST:
        return ()
    generator = np.random.default_rng(SEED)
    draws = (generator.integers(sentences, size=sentences) for _ in range(resamples))
    return tuple(float(score_of(drawn)) for drawn in draws)


def interval_of(resampled: Sequence[float]) -> tuple[float, float] | None:
    """Return the 2.5 % and 97.5 % quantiles of resampled scores; None where there are none."""
    if not resampled:
        return None
    scores, cut = sorted(resampled), len(resampled) // FEWEST
    return scores[cut], scores[-cut - 1]


def paired_p(
    best: Sequence[float], other: Sequence[float], *, higher_is_better: bool = True
) -> float | None:
    """Return how likely it is that `best` is no better than `other` (Koehn 2004, section 4).

    It is the share of resampled test sets on which `best` does not win, with one more such set
    counted in, so that p is never 0.

    Args:
        best: resampled scores of the system that leads.
        other: those of another, over the same sentences.
        higher_is_better: which of two scores wins.

    Returns:
        p above 0 and at most 1; None without resampled scores.
    """
    if not best:
        return None
    sign = 1 if higher_is_better else -1
    lost = sum(sign * one <= sign * two for one, two in zip(best, other, strict=True))
    return (lost + 1) / (len(best) + 1)


def resampled_ratios(
    numerators: Sequence[float], denominators: Sequence[float], resamples: int
) -> tuple[float, ...]:
    """Return sum(numerators) / sum(denominators) over resampled test sets.

    Args:
        numerators: one number for each sentence.
        denominators: one number for each sentence, above 0.
        resamples: how often to draw.
    """
    import numpy as np

    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    return resampled_scores(
        lambda drawn: above[drawn].sum() / below[drawn].sum(), len(above), resamples
    )


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], resamples: int
) -> tuple[float, float] | None:
    """Return the interval of sum(numerators) / sum(denominators), as `resampled_ratios`."""
    return interval_of(resampled_ratios(numerators, denominators, resamples))


def bootstrap_signature(resamples: int) -> str:
    """Return what a signature says of the bootstrap (nothing where there was none)."""
    return f"|bs:{resamples}|seed:{SEED}" if resamples >= FEWEST else ""

"""Bootstrap intervals (Koehn 2004): how far a score would move on another test set like this."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED = 12345  # sacreBLEU's
FEWEST = 40  # with fewer resamples there is no 2.5 % on either side to cut off


def bootstrap_interval(
    score_of: "Callable[[NDArray[np.int64]], float]", sentences: int, resamples: int
) -> tuple[float, float] | None:
    """Return the 95 % interval of a score over resampled test sets.

    Args:
        score_of: the score of the sentences with these indices, `[sentences]` of them.
        sentences: how many there are, and how many are drawn (with replacement) each time.
        resamples: how often to draw.

    Returns:
        The 2.5 % and 97.5 % quantiles, or None with fewer than 40 resamples.
    """
    import numpy as np

    if resamples < FEWEST:
        return None
    generator = np.random.default_rng(SEED)
    scores = sorted(
        score_of(generator.integers(sentences, size=sentences)) for _ in range(resamples)
    )
    cut = resamples // FEWEST
    return float(scores[cut]), float(scores[-cut - 1])


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], resamples: int
) -> tuple[float, float] | None:
    """Return the interval of sum(numerators) / sum(denominators).

    Args:
        numerators: one number for each sentence.
        denominators: one number for each sentence, above 0.
        resamples: how often to draw.
    """
    import numpy as np

    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    return bootstrap_interval(
        lambda drawn: above[drawn].sum() / below[drawn].sum(), len(above), resamples
    )


def bootstrap_signature(resamples: int) -> str:
    """Return what a signature says of the bootstrap (nothing where there was none)."""
    return f"|bs:{resamples}|seed:{SEED}" if resamples >= FEWEST else ""

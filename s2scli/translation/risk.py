"""Minimum Bayes risk: choose the hypothesis that agrees most with all the others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from s2scli.metrics.chrf import pairwise_chrf
from s2scli.search.settings import SearchSettings
from s2scli.translation.results import TargetText


def least_risk(found: Sequence[TargetText], settings: SearchSettings) -> tuple[int, ...]:
    """Return the indices of the `n_best` hypotheses with the highest expected chrF, best first.

    The expectation is over all hypotheses (Kumar & Byrne 2004): samples count equally (Eikema &
    Aziz 2020), others by their probability, normalised over the hypotheses. Equals keep their
    order.

    Args:
        found: the hypotheses, best first, with token scores.
        settings: the search settings.
    """
    if not found:
        return ()
    utilities = pairwise_chrf([one.text for one in found])  # [N, N]
    expected = utilities @ _weights(found, settings)
    order = np.argsort(-expected, kind="stable")[: settings.n_best]
    return tuple(order.tolist())


def _weights(found: Sequence[TargetText], settings: SearchSettings) -> NDArray[np.float64]:
    """Return the weight of each hypothesis; they sum to 1, [N]."""
    if settings.sample:
        return np.full(len(found), 1 / len(found))
    sums = np.array([sum(one.token_scores) for one in found])
    probs = np.exp(sums - sums.max())
    weights: NDArray[np.float64] = probs / probs.sum()
    return weights

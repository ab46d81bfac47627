"""Alignment error rate: how far links between words are from links set by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2scli.metrics.bootstrap import bootstrap_signature, interval_of, resampled_ratios
from s2scli.metrics.links import NAME, GoldLinks, Links
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


@dataclass(frozen=True)
class AlignmentScores:
    """How links compare with gold links.

    Attributes:
        error_rate: the alignment error rate in percent, with its interval.
        precision: the percentage of the links that are possible.
        recall: the percentage of the sure links that were found.
    """

    error_rate: Score
    precision: float
    recall: float


def aer(
    found: Sequence[Links], gold: Sequence[GoldLinks], settings: MetricSettings = DEFAULTS
) -> AlignmentScores:
    """Return the alignment error rate of the links of all pairs, with precision and recall.

    AER = 1 - (|A and S| + |A and P|) / (|A| + |S|) (Och & Ney 2003, A systematic comparison of
    various statistical alignment models, section 5), where A are the links found, S the sure ones
    and P the possible ones, counted over all pairs.

    Args:
        found: the links of each pair.
        gold: the gold links of each pair; at least one link is sure.
        settings: the metric settings, with the number of resamples.
    """
    pairs = list(zip(found, gold, strict=True))
    sure = [len(links & right.sure) for links, right in pairs]
    possible = [len(links & right.possible) for links, right in pairs]
    sizes = [float(len(links) + len(right.sure)) for links, right in pairs]
    errors = [100.0 * (size - s - p) for size, s, p in zip(sizes, sure, possible, strict=True)]
    resampled = resampled_ratios(errors, sizes, settings.resamples)
    linked, right = sum(map(len, found)), sum(len(one.sure) for one in gold)
    rate = Score(
        NAME,
        sum(errors) / sum(sizes),
        f"links:words|gold:sure+possible{bootstrap_signature(settings.resamples)}",
        interval_of(resampled),
        resampled,
    )
    return AlignmentScores(rate, 100.0 * sum(possible) / max(1, linked), 100.0 * sum(sure) / right)


def disagreement(ours: Sequence[Links], theirs: Sequence[Links]) -> float:
    """Return the AER of links against other links, all of them sure, in percent.

    It is symmetric: 100 x (1 - 2 |A and B| / (|A| + |B|)). It is 100 if there are no links.
    """
    both = sum(len(a & b) for a, b in zip(ours, theirs, strict=True))
    total = sum(map(len, ours)) + sum(map(len, theirs))
    return 100.0 * (1 - 2 * both / total) if total else 100.0

"""Exact match: the share of outputs that equal the reference."""

from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, interval_of, resampled_ratios
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def exact_match(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return the percentage of outputs that equal their reference, ignoring outer white space."""
    hits = [
        100.0 * (hypothesis.strip() == reference.strip())
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    resampled = resampled_ratios(hits, [1.0] * len(hits), settings.resamples)
    return Score(
        "exact match",
        sum(hits) / len(hits),
        f"case:mixed|space:strip{bootstrap_signature(settings.resamples)}",
        interval_of(resampled),
        resampled,
    )

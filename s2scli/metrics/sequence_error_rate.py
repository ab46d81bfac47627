"""Sequence error rate: the share of outputs with any error; lower is better."""

from collections.abc import Sequence

from s2scli.metrics.bootstrap import interval_of
from s2scli.metrics.exact_match import exact_match
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def sequence_error_rate(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return the percentage of outputs that are not an exact match.

    For pronunciations, where each output is one word, this is usually called the word error rate.
    """
    right = exact_match(hypotheses, references, settings)
    resampled = tuple(100 - value for value in right.resampled)
    return Score(
        "sequence error rate",
        100 - right.value,
        right.signature,
        interval_of(resampled),
        resampled,
    )

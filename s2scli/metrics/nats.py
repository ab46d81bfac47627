"""Negative log-likelihood of whole references under a model."""

import math
from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, interval_of, resampled_ratios
from s2scli.metrics.metric import ForcedTarget
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def nats(forced: Sequence[ForcedTarget], settings: MetricSettings = DEFAULTS) -> Score:
    """Return the mean over the references of -log p(reference), in nats, end token included.

    For pictures with lossless black-and-white tokens, this is the exact negative log-likelihood of
    the pictures.

    Args:
        forced: the references as scored by the model, end tokens included.
        settings: the metric settings, with the number of resamples.
    """
    losses = [-math.fsum(target.token_scores) for target in forced]
    resampled = resampled_ratios(losses, [1.0] * len(losses), settings.resamples)
    return Score(
        "nats per picture",
        math.fsum(losses) / len(losses),
        f"per:picture|end:counted{bootstrap_signature(settings.resamples)}",
        interval_of(resampled),
        resampled,
    )

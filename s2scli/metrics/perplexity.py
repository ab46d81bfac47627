"""Perplexity of the references under a model."""

import math
from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, ratio_interval
from s2scli.metrics.metric import ForcedTarget
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def perplexity(forced: Sequence[ForcedTarget], settings: MetricSettings = DEFAULTS) -> Score:
    """Return exp(-mean log-probability) over all tokens of the references.

    The perplexity depends on the tokenizer: compare only models with the same tokenizer.

    Args:
        forced: the references as scored by the model, end tokens included.
        settings: the metric settings, with the number of resamples.
    """
    losses = [-math.fsum(target.token_scores) for target in forced]
    lengths = [float(len(target.token_scores)) for target in forced]
    interval = ratio_interval(losses, lengths, settings.resamples)
    return Score(
        "perplexity",
        math.exp(math.fsum(losses) / math.fsum(lengths)),
        f"per:token|end:counted{bootstrap_signature(settings.resamples)}",
        interval and (math.exp(interval[0]), math.exp(interval[1])),
    )

"""Perplexity of the references under a model."""

import math
from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, ratio_interval
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def perplexity(
    token_scores: Sequence[Sequence[float]], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return exp(-mean log-probability) over all tokens of the references.

    It depends on the tokenizer: only models that share one can be compared by it.

    Args:
        token_scores: for each sentence the natural log-probability of each of its tokens, the
            end token included.
        settings: how many resamples to take.
    """
    losses = [-math.fsum(scores) for scores in token_scores]
    lengths = [float(len(scores)) for scores in token_scores]
    interval = ratio_interval(losses, lengths, settings.resamples)
    return Score(
        "perplexity",
        math.exp(math.fsum(losses) / math.fsum(lengths)),
        f"per:token|end:counted{bootstrap_signature(settings.resamples)}",
        interval and (math.exp(interval[0]), math.exp(interval[1])),
    )

"""Perplexity of the references under a model, per token, per word and per byte."""

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
    lengths = [len(target.token_scores) for target in forced]
    return _perplexity_per("perplexity", "token", forced, lengths, settings)


def word_perplexity(forced: Sequence[ForcedTarget], settings: MetricSettings = DEFAULTS) -> Score:
    """Return exp(-log-probability of all references / their words).

    Words are separated by spaces, and each end token counts as a word. It can be compared between
    tokenizers.

    Args:
        forced: the references as scored by the model, end tokens included.
        settings: the metric settings, with the number of resamples.
    """
    lengths = [len(target.text.split()) + 1 for target in forced]
    return _perplexity_per("word perplexity", "word", forced, lengths, settings)


def byte_perplexity(forced: Sequence[ForcedTarget], settings: MetricSettings = DEFAULTS) -> Score:
    """Return exp(-log-probability of all references / their UTF-8 bytes).

    Each end token counts as a byte. It can be compared between tokenizers and languages.

    Args:
        forced: the references as scored by the model, end tokens included.
        settings: the metric settings, with the number of resamples.
    """
    lengths = [len(target.text.encode(errors="replace")) + 1 for target in forced]
    return _perplexity_per("byte perplexity", "byte", forced, lengths, settings)


def _perplexity_per(
    name: str,
    unit: str,
    forced: Sequence[ForcedTarget],
    lengths: Sequence[int],
    settings: MetricSettings,
) -> Score:
    """Return the perplexity per unit; `lengths` has the number of units of each reference."""
    losses = [-math.fsum(target.token_scores) for target in forced]
    interval = ratio_interval(losses, lengths, settings.resamples)
    return Score(
        name,
        exp(math.fsum(losses) / math.fsum(lengths)),
        f"per:{unit}|end:counted{bootstrap_signature(settings.resamples)}",
        interval and (exp(interval[0]), exp(interval[1])),
    )


def exp(nats: float) -> float:
    """Return e to the power of `nats`, or infinity if that overflows a float."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf

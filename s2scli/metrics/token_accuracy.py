"""Token accuracy: how often the model's most probable token is the reference's next token."""

from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, ratio_interval
from s2scli.metrics.metric import ForcedTarget
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def token_accuracy(forced: Sequence[ForcedTarget], settings: MetricSettings = DEFAULTS) -> Score:
    """Return the percentage of reference tokens that are the model's first choice.

    The model reads the reference's previous tokens (teacher forcing).

    Args:
        forced: the references as scored by the model, end tokens included.
        settings: the metric settings, with the number of resamples.
    """
    correct = [100.0 * sum(target.first_choices) for target in forced]
    lengths = [float(len(target.first_choices)) for target in forced]
    return Score(
        "token accuracy",
        sum(correct) / sum(lengths),
        f"forced:reference|end:counted{bootstrap_signature(settings.resamples)}",
        ratio_interval(correct, lengths, settings.resamples),
    )

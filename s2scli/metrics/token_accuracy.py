"""Token accuracy: how often a model's first choice is the reference's next token."""

from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, ratio_interval
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def token_accuracy(hits: Sequence[Sequence[bool]], settings: MetricSettings = DEFAULTS) -> Score:
    """Return the percentage of reference tokens that were the model's first choice.

    The model is given the reference's earlier tokens each time (teacher forcing).

    Args:
        hits: for each sentence, for each of its tokens and the end token, whether it was.
        settings: how many resamples to take.
    """
    correct = [100.0 * sum(sentence) for sentence in hits]
    lengths = [float(len(sentence)) for sentence in hits]
    return Score(
        "token accuracy",
        sum(correct) / sum(lengths),
        f"forced:reference|end:counted{bootstrap_signature(settings.resamples)}",
        ratio_interval(correct, lengths, settings.resamples),
    )

"""Symbol error rate: edits of space-separated symbols; lower is better."""

from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, interval_of, resampled_ratios
from s2scli.metrics.edit_distance import edit_distance
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def symbol_error_rate(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return edits as a percentage of the references' space-separated symbols.

    For phones, this is the phone error rate; for words, the word error rate of speech recognition.
    An empty reference counts as one symbol.
    """
    pairs = [
        (hypothesis.split(), reference.split())
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    edits = [100.0 * edit_distance(*pair) for pair in pairs]
    lengths = [float(max(1, len(reference))) for _, reference in pairs]
    resampled = resampled_ratios(edits, lengths, settings.resamples)
    return Score(
        "symbol error rate",
        sum(edits) / sum(lengths),
        f"case:mixed|symbols:spaced{bootstrap_signature(settings.resamples)}",
        interval_of(resampled),
        resampled,
    )

"""Symbol error rate: edits of space-separated symbols; lower is better."""

from collections.abc import Sequence

from s2scli.metrics.edit_rate import edit_rate
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def symbol_error_rate(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return edits as a percentage of the references' space-separated symbols.

    For phones, this is the phone error rate; for words, the word error rate of speech recognition.
    An empty reference counts as one symbol.
    """
    signature = "case:mixed|symbols:spaced"
    return edit_rate("symbol error rate", hypotheses, references, str.split, signature, settings)

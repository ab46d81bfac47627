"""Word error rate of speech recognition; lower is better."""

from collections.abc import Sequence

from s2scli.metrics.edit_rate import edit_rate
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def wer(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return word edits as a percentage of the references' words.

    Words are separated by spaces; case and punctuation count. An empty reference counts as one
    word.
    """
    signature = "case:mixed|words:spaced"
    return edit_rate("WER", hypotheses, references, str.split, signature, settings)

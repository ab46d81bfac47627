"""Character error rate of speech recognition; lower is better."""

from collections.abc import Sequence

from s2scli.metrics.edit_rate import edit_rate
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def cer(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return character edits as a percentage of the references' characters.

    Case, punctuation and the spaces between words count; outer white space does not. An empty
    reference counts as one character.
    """
    signature = "case:mixed|space:strip"
    return edit_rate("CER", hypotheses, references, str.strip, signature, settings)

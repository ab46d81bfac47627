"""chrF (Popović 2015), as sacreBLEU counts it: character n-grams, so no tokenisation."""

from collections.abc import Sequence

from s2scli.metrics.sacrebleu import corpus_score
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def chrf(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return the corpus chrF2 (n-grams to 6 characters, recall counts twice), 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    return corpus_score(CHRF(), hypotheses, references, settings)

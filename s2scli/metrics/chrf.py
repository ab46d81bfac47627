"""chrF (Popović 2015), computed by sacreBLEU; needs no tokenization."""

from collections.abc import Sequence

from s2scli.metrics.sacrebleu import corpus_score
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings


def chrf(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return the corpus chrF2 (n-grams of up to 6 characters, beta 2), 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    return corpus_score(CHRF(), hypotheses, references, settings)


def sentence_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """Return the sentence-level chrF2 of each output, 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    pairs = zip(hypotheses, references, strict=True)
    return [float(metric.sentence_score(output, [reference]).score) for output, reference in pairs]

"""Translation edit rate (Snover et al. 2006), computed by sacreBLEU; lower is better."""

from collections.abc import Sequence

from s2scli.metrics.sacrebleu import corpus_score
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.tokenization import choose_tokenization


def ter(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return edits, including shifts, as a percentage of the references' words; ignores case.

    Text without spaces is split into characters, as for BLEU.
    """
    from sacrebleu.metrics.ter import TER

    unspaced = choose_tokenization(settings, references) in ("zh", "char")
    metric = TER(normalized=unspaced, asian_support=unspaced)
    return corpus_score(metric, hypotheses, references, settings)

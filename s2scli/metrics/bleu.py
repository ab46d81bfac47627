"""BLEU (Papineni et al. 2002), computed by sacreBLEU (Post 2018)."""

from collections.abc import Sequence

from s2scli.metrics.sacrebleu import corpus_score
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.tokenization import choose_tokenization


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return the case-sensitive corpus BLEU of detokenized text, 0 to 100."""
    from sacrebleu.metrics.bleu import BLEU

    tokenize = choose_tokenization(settings, references)
    # force: no warning about text that looks tokenized
    return corpus_score(BLEU(tokenize=tokenize, force=True), hypotheses, references, settings)

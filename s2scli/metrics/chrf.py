"""chrF (Popović 2015), computed by sacreBLEU; needs no tokenization."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from s2scli.metrics.sacrebleu import corpus_score
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ORDERS, BETA = 6, 2  # sacreBLEU's defaults


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


def pairwise_chrf(texts: Sequence[str]) -> "NDArray[np.float64]":
    """Return the sentence-level chrF2 of each text with each other as the reference, [N, N].

    It equals `sentence_chrf`, and is faster because each text is read once. Row i is for text i as
    the output.
    """
    import numpy as np

    counts = [_ngram_counts(texts, order) for order in range(1, ORDERS + 1)]
    precision, recall, orders = (np.zeros((len(texts), len(texts))) for _ in range(3))
    for table in counts:
        matches = np.array([np.minimum(row, table).sum(1) for row in table])
        totals = table.sum(1)
        both = (totals[:, None] > 0) & (totals > 0)
        precision += np.where(both, matches / np.maximum(totals[:, None], 1), 0.0)
        recall += np.where(both, matches / np.maximum(totals, 1), 0.0)
        orders += both
    precision, recall = precision / np.maximum(orders, 1), recall / np.maximum(orders, 1)
    total = BETA**2 * precision + recall
    scores: NDArray[np.float64] = 100 * np.divide(
        (1 + BETA**2) * precision * recall, total, out=np.zeros_like(total), where=total > 0
    )
    return scores


def _ngram_counts(texts: Sequence[str], order: int) -> "NDArray[np.int64]":
    """Return how often each character n-gram of any text is in each text, [N, n-grams].

    White space does not count, as in chrF.
    """
    import numpy as np

    found = [Counter(_ngrams("".join(text.split()), order)) for text in texts]
    columns = {ngram: at for at, ngram in enumerate(dict.fromkeys(chain.from_iterable(found)))}
    table = np.zeros((len(texts), len(columns)), np.int64)
    for row, own in enumerate(found):
        for ngram, count in own.items():
            table[row, columns[ngram]] = count
    return table


def _ngrams(text: str, order: int) -> Iterator[str]:
    return (text[at : at + order] for at in range(len(text) - order + 1))

"""Unigram F1, as dialogue systems are scored (Miller et al. 2017, ParlAI)."""

import string
from collections import Counter
from collections.abc import Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, interval_of, resampled_ratios
from s2scli.metrics.reference_rules import ReferenceRule, best_references
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings

ARTICLES = frozenset(("a", "an", "the"))
PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))


def f1(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return the mean F1 of words in percent.

    Words are in lower case, without ASCII punctuation and without English articles, as in ParlAI.
    A fixed list of the commonest words scores high: compare with baselines.
    """
    values = [100.0 * sentence_f1(*pair) for pair in zip(hypotheses, references, strict=True)]
    resampled = resampled_ratios(values, [1.0] * len(values), settings.resamples)
    return Score(
        "F1",
        sum(values) / len(values),
        f"case:lower|punctuation:no|articles:no{bootstrap_signature(settings.resamples)}",
        interval_of(resampled),
        resampled,
    )


def normalized_words(text: str) -> list[str]:
    """Return the words of a text, in lower case, without punctuation and articles."""
    words = text.lower().translate(PUNCTUATION).split()
    return [word for word in words if word not in ARTICLES]


def sentence_f1(hypothesis: str, reference: str) -> float:
    """Return the F1 of the words of an output, from 0 to 1; 0 if either has no words."""
    found, expected = normalized_words(hypothesis), normalized_words(reference)
    common = sum((Counter(found) & Counter(expected)).values())
    return 2 * common / (len(found) + len(expected)) if common else 0.0


def best_by_f1(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], settings: MetricSettings
) -> list[str]:
    """Return the reference of each output with the highest F1."""
    return best_references(hypotheses, references, sentence_f1)


def f1_rule(settings: MetricSettings) -> ReferenceRule:
    """Return the rule that chooses the reference with the highest F1, as in ParlAI."""
    return ReferenceRule("best-f1", best_by_f1)

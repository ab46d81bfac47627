"""ROUGE (Lin 2004), computed by Google's rouge-score."""

import functools
import unicodedata
from collections.abc import Callable, Sequence
from typing import Literal

from s2scli.errors import MissingExtraError
from s2scli.metrics.bootstrap import bootstrap_signature, interval_of, resampled_ratios
from s2scli.metrics.reference_rules import ReferenceRule, best_references
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.tokenization import choose_tokenization

Unit = Literal["words", "characters", "spaced"]

KINDS = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}  # of rouge-score


def rouge1(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return ROUGE-1, the mean F1 of words, in percent."""
    return _corpus_score("ROUGE-1", hypotheses, references, settings)


def rouge2(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return ROUGE-2, the mean F1 of pairs of adjacent words, in percent."""
    return _corpus_score("ROUGE-2", hypotheses, references, settings)


def rouge_l(
    hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings = DEFAULTS
) -> Score:
    """Return ROUGE-L, the mean F1 of the longest common subsequence, in percent."""
    return _corpus_score("ROUGE-L", hypotheses, references, settings)


def _best(name: str) -> ReferenceRule:
    """Return the rule that chooses the reference with the highest score of this name."""

    def choose(
        hypotheses: Sequence[str], references: Sequence[Sequence[str]], settings: MetricSettings
    ) -> list[str]:
        unit = choose_unit(settings, [one for several in references for one in several])
        return best_references(hypotheses, references, _sentence_scorer(name, unit))

    return ReferenceRule(f"best-{KINDS[name]}", choose)


def rouge_rule(name: str) -> Callable[[MetricSettings], ReferenceRule]:
    """Return which of several references counts for ROUGE-1, ROUGE-2 or ROUGE-L.

    It is the one with the highest score of that name or, if `rouge_reference` is `rouge1`, with
    the highest ROUGE-1, as in the script of SciTLDR (Cachola et al. 2020).
    """
    own, by_rouge1 = _best(name), _best("ROUGE-1")
    return lambda settings: by_rouge1 if settings.rouge_reference == "rouge1" else own


def choose_unit(settings: MetricSettings, references: Sequence[str]) -> Unit:
    """Return what ROUGE counts.

    These are words, or characters if `tokenize` is `char` or `zh`; with `auto`, characters if the
    references are written without spaces. `none` counts what is between spaces.
    """
    tokenization = choose_tokenization(settings, references)
    if tokenization in ("char", "zh"):
        return "characters"
    return "spaced" if tokenization == "none" else "words"


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters, marks and digits.

    For ASCII text these are the tokens of rouge-score, which drops all other letters.
    """
    return "".join(map(_kept, text.lower())).split()


@functools.lru_cache(maxsize=1 << 16)
def _kept(character: str) -> str:
    return character if unicodedata.category(character)[0] in "LMN" else " "


def characters(text: str) -> list[str]:
    """Return the characters of a text in lower case, without white space."""
    return [character for character in text.lower() if not character.isspace()]


UNITS: dict[Unit, Callable[[str], list[str]]] = {
    "words": words,
    "characters": characters,
    "spaced": str.split,
}


class _Tokenizer:
    """A tokenizer as rouge-score wants it."""

    def __init__(self, unit: Unit) -> None:
        self.tokenize = UNITS[unit]


def _sentence_scorer(name: str, unit: Unit) -> Callable[[str, str], float]:
    """Return a function that scores an output against a reference, from 0 to 1.

    Raises:
        MissingExtraError: rouge-score is not installed.
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingExtraError(
            "rouge-score is not installed: pip install 's2scli[metrics]'"
        ) from error
    kind = KINDS[name]
    scorer = RougeScorer([kind], tokenizer=_Tokenizer(unit))
    return lambda hypothesis, reference: float(scorer.score(reference, hypothesis)[kind].fmeasure)


def _corpus_score(
    name: str, hypotheses: Sequence[str], references: Sequence[str], settings: MetricSettings
) -> Score:
    """Return the mean score of all outputs, without stemming, in percent."""
    unit = choose_unit(settings, references)
    score = _sentence_scorer(name, unit)
    values = [100.0 * score(*pair) for pair in zip(hypotheses, references, strict=True)]
    resampled = resampled_ratios(values, [1.0] * len(values), settings.resamples)
    case = "mixed" if unit == "spaced" else "lower"
    return Score(
        name,
        sum(values) / len(values),
        f"f1|tok:{unit}|case:{case}|stem:no{bootstrap_signature(settings.resamples)}",
        interval_of(resampled),
        resampled,
    )

"""The metrics, one file each. To add one, add a file and an entry here.

Imports no torch, sacreBLEU or NumPy: the functions import what they need.
"""

from collections.abc import Iterable

from s2scli.metrics.bleu import bleu
from s2scli.metrics.cer import cer
from s2scli.metrics.chrf import chrf
from s2scli.metrics.exact_match import exact_match
from s2scli.metrics.f1 import f1, f1_rule
from s2scli.metrics.metric import Metric
from s2scli.metrics.nats import nats
from s2scli.metrics.perplexity import byte_perplexity, perplexity, word_perplexity
from s2scli.metrics.rouge import rouge1, rouge2, rouge_l, rouge_rule
from s2scli.metrics.score import Score
from s2scli.metrics.sequence_error_rate import sequence_error_rate
from s2scli.metrics.symbol_error_rate import symbol_error_rate
from s2scli.metrics.ter import ter
from s2scli.metrics.token_accuracy import token_accuracy
from s2scli.metrics.wer import wer
from s2scli.sides import Sides, Sound

METRICS: dict[str, Metric] = {
    "bleu": Metric(
        "BLEU",
        bleu,
        higher_is_better=True,
        digits=2,
        needs="outputs",
        help="BLEU of the outputs, computed by sacreBLEU.",
    ),
    "chrf": Metric(
        "chrF2",
        chrf,
        higher_is_better=True,
        digits=2,
        needs="outputs",
        help="chrF2, the character n-gram F-score, computed by sacreBLEU.",
    ),
    "ter": Metric(
        "TER",
        ter,
        higher_is_better=False,
        digits=2,
        needs="outputs",
        help="Translation edit rate: word edits as a percentage of the reference's words.",
    ),
    "rouge1": Metric(
        "ROUGE-1",
        rouge1,
        higher_is_better=True,
        digits=2,
        needs="outputs",
        help="F1 of the words of outputs and references, computed by rouge-score.",
        references=rouge_rule("ROUGE-1"),
    ),
    "rouge2": Metric(
        "ROUGE-2",
        rouge2,
        higher_is_better=True,
        digits=2,
        needs="outputs",
        help="F1 of pairs of adjacent words, computed by rouge-score.",
        references=rouge_rule("ROUGE-2"),
    ),
    "rougeL": Metric(
        "ROUGE-L",
        rouge_l,
        higher_is_better=True,
        digits=2,
        needs="outputs",
        help="F1 of the longest common subsequence of words, computed by rouge-score.",
        references=rouge_rule("ROUGE-L"),
    ),
    "wer": Metric(
        "WER",
        wer,
        higher_is_better=False,
        digits=2,
        needs="outputs",
        help="Word error rate: word edits as a percentage of the reference's words, with case and "
        "punctuation.",
    ),
    "cer": Metric(
        "CER",
        cer,
        higher_is_better=False,
        digits=2,
        needs="outputs",
        help="Character error rate: character edits as a percentage of the reference's characters, "
        "spaces included.",
    ),
    "exact_match": Metric(
        "exact match",
        exact_match,
        higher_is_better=True,
        digits=2,
        needs="outputs",
        help="Percentage of outputs that equal the reference.",
    ),
    "f1": Metric(
        "F1",
        f1,
        higher_is_better=True,
        digits=2,
        needs="outputs",
        help="F1 of the words of outputs and references, without case, punctuation and English "
        "articles, as replies are scored by ParlAI.",
        references=f1_rule,
    ),
    "sequence_error_rate": Metric(
        "sequence error rate",
        sequence_error_rate,
        higher_is_better=False,
        digits=2,
        needs="outputs",
        help="Percentage of outputs that differ from the reference (the word error rate of "
        "pronunciations).",
    ),
    "symbol_error_rate": Metric(
        "symbol error rate",
        symbol_error_rate,
        higher_is_better=False,
        digits=2,
        needs="outputs",
        help="Edits of space-separated symbols as a percentage of the reference's symbols (the "
        "phone or word error rate).",
    ),
    "perplexity": Metric(
        "perplexity",
        perplexity,
        higher_is_better=False,
        digits=2,
        needs="model",
        help="Perplexity of the references under the model, per token.",
    ),
    "word_perplexity": Metric(
        "word perplexity",
        word_perplexity,
        higher_is_better=False,
        digits=2,
        needs="model",
        help="Perplexity of the references under the model, per space-separated word.",
    ),
    "byte_perplexity": Metric(
        "byte perplexity",
        byte_perplexity,
        higher_is_better=False,
        digits=3,
        needs="model",
        help="Perplexity of the references under the model, per UTF-8 byte.",
    ),
    "nats": Metric(
        "nats per picture",
        nats,
        higher_is_better=False,
        digits=2,
        needs="model",
        help="Mean negative log-likelihood of a whole reference in nats, including the end token; "
        "exact for pictures with black-and-white tokens, for which bits per pixel are also shown.",
    ),
    "token_accuracy": Metric(
        "token accuracy",
        token_accuracy,
        higher_is_better=True,
        digits=2,
        needs="model",
        help="Percentage of reference tokens that are the model's first choice.",
    ),
}

# metrics that one flag chooses together, by the name of the flag, and its help
GROUPS: dict[str, tuple[tuple[str, ...], str]] = {
    "rouge": (
        ("rouge1", "rouge2", "rougeL"),
        "ROUGE-1, ROUGE-2 and ROUGE-L: F1 of words, of pairs of words and of the longest common "
        "subsequence, computed by rouge-score (characters, if the references are written without "
        "spaces).",
    ),
}
GROUP_OF = {name: group for group, (members, _) in GROUPS.items() for name in members}

PICTURE_METRICS = ("nats", "perplexity")  # the default metrics of evaluate for target pictures

DIGITS = 2

# the default metrics of evaluate, also computed at every validation
USUAL_METRICS = ("bleu", "chrf", "exact_match")
SPEECH_METRICS = ("wer", "cer", "exact_match")


def usual_metrics(sides: Sides) -> tuple[str, ...]:
    """Return the default metrics of evaluate for a model that reads and writes these sides."""
    return SPEECH_METRICS if isinstance(sides.source, Sound) else USUAL_METRICS


def metric_names(chosen: Iterable[str]) -> tuple[str, ...]:
    """Return names of metrics, with the members of a group in place of its name."""
    return tuple(name for one in chosen for name in GROUPS.get(one, ((one,), ""))[0])


def digits_of(score: Score) -> int:
    """Return the number of decimals to show for a score; 2 for the alignment error rate."""
    return next((one.digits for one in METRICS.values() if one.name == score.name), DIGITS)


def value_and_interval(score: Score) -> tuple[str, str]:
    """Return a score and its 95 % interval as text; the interval is "" if there is none."""
    value, *ends = (f"{one:.{digits_of(score)}f}" for one in (score.value, *(score.interval or ())))
    return value, " to ".join(ends)

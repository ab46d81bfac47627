"""Sentences scored one by one with chrF, and a few examples of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from s2scli.metrics.chrf import sentence_chrf

Rank = Literal["best", "middle", "worst"]


@dataclass(frozen=True)
class Sentence:
    """One output and its score.

    Attributes:
        number: its line in the split or the file; the first is 1.
        source: what was translated; None where only outputs were given.
        reference: the reference target, the closest one if there are several.
        output: the translation.
        chrf: its chrF2, 0 to 100.
    """

    number: int
    source: str | None
    reference: str
    output: str
    chrf: float


@dataclass(frozen=True)
class Example:
    """A sentence to show, and where it is among all of them."""

    rank: Rank
    sentence: Sentence

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {"rank": self.rank, **asdict(self.sentence)}


def score_sentences(
    numbers: Sequence[int],
    sources: Sequence[str | None],
    references: Sequence[str],
    outputs: Sequence[str],
) -> tuple[Sentence, ...]:
    """Score each output against its reference; the arguments belong together one for one."""
    scores = sentence_chrf(outputs, references)
    return tuple(map(Sentence, numbers, sources, references, outputs, scores))


def choose_examples(sentences: Sequence[Sentence], count: int) -> tuple[Example, ...]:
    """Return the best, the middle and the worst sentences by chrF, best first.

    Each is a third of `count`; what is left over goes to the worst, then to the best. No sentence
    is returned twice. Of equal scores the earlier sentence is the better one.
    """
    ranked = sorted(sentences, key=lambda sentence: -sentence.chrf)
    count = min(count, len(ranked))
    worst, best, middle = (count + 2) // 3, (count + 1) // 3, count // 3
    low = len(ranked) - worst
    start = max(best, min((len(ranked) - middle) // 2, low - middle))
    parts: tuple[tuple[Rank, Sequence[Sentence]], ...] = (
        ("best", ranked[:best]),
        ("middle", ranked[start : start + middle]),
        ("worst", ranked[low:]),
    )
    return tuple(Example(rank, sentence) for rank, part in parts for sentence in part)

"""Sentence-level chrF, and example sentences chosen by it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from s2scli.metrics.chrf import sentence_chrf

Rank = Literal["best", "middle", "worst"]


@dataclass(frozen=True)
class Sentence:
    """One output and its score.

    Attributes:
        number: its line number in the split or the file, from 1.
        source: the text that was translated; None if only outputs were given.
        reference: the reference target, the closest one if there are several.
        output: the translation.
        chrf: its sentence-level chrF2, 0 to 100.
    """

    number: int
    source: str | None
    reference: str
    output: str
    chrf: float


@dataclass(frozen=True)
class Example:
    """A sentence to show, and whether it is among the best, middle or worst ones."""

    rank: Rank
    sentence: Sentence

    def as_json(self) -> dict[str, Any]:
        """Return the example as a JSON document."""
        return {"rank": self.rank, **asdict(self.sentence)}


def score_sentences(
    numbers: Sequence[int],
    sources: Sequence[str | None],
    references: Sequence[str],
    outputs: Sequence[str],
) -> tuple[Sentence, ...]:
    """Score each output against its reference; the arguments have one entry per sentence."""
    scores = sentence_chrf(outputs, references)
    return tuple(map(Sentence, numbers, sources, references, outputs, scores))


def choose_examples(sentences: Sequence[Sentence], count: int) -> tuple[Example, ...]:
    """Return the best, the middle and the worst sentences by chrF, best first.

    Each group has a third of `count` sentences; a remainder goes to the worst, then to the best. No
    sentence is returned twice. On ties, the earlier sentence ranks higher.
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

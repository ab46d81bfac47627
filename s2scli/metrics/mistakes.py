"""Kinds of mistakes in an output, found by rules, and the rare words of a source."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from s2scli.metrics.sentences import Sentence
from s2scli.scripts import units_of

UNKNOWN = "⁇"
SHORT = 0.6
LONGEST_REPEAT, COPIED_RUN = 4, 3
RARE = 3
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Kind:
    """A kind of mistake.

    Attributes:
        help: what it is.
        found: whether an output has it.
    """

    help: str
    found: Callable[[Sentence], bool]


def is_omission(sentence: Sentence) -> bool:
    """Whether the output has fewer than 60 % of the characters of the reference, without spaces."""
    output, reference = ("".join(t.split()) for t in (sentence.output, sentence.reference))
    return len(output) < SHORT * len(reference)


def is_repeat(sentence: Sentence) -> bool:
    """Whether the output says 1 to 4 words again at once, more often than the reference."""
    return _repeats(units_of(sentence.output)) > _repeats(units_of(sentence.reference))


def _repeats(units: Sequence[str]) -> int:
    """Return how often 1 to 4 units are followed by the same ones."""
    return sum(
        units[start : start + size] == units[start + size : start + 2 * size]
        for size in range(1, LONGEST_REPEAT + 1)
        for start in range(len(units) - 2 * size + 1)
    )


def is_unknown(sentence: Sentence) -> bool:
    """Whether the output has an unknown token, and the reference has none."""
    return UNKNOWN in sentence.output and UNKNOWN not in sentence.reference


def is_copied(sentence: Sentence) -> bool:
    """Whether the output has a run of three source words, or all of them, unlike the reference."""
    if sentence.source is None:
        return False
    source, output, reference = map(
        units_of, (sentence.source, sentence.output, sentence.reference)
    )
    size = min(COPIED_RUN, len(source))
    wrong = _runs(output, size) - _runs(reference, size)
    return bool(size and _runs(source, size) & wrong)


def _runs(units: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(units[start : start + size]) for start in range(len(units) - size + 1)}


def is_wrong_number(sentence: Sentence) -> bool:
    """Whether the numbers of the output are not those of the reference, in any order."""
    output, reference = (
        Counter(NUMBER.findall(text)) for text in (sentence.output, sentence.reference)
    )
    return output != reference


KINDS: dict[str, Kind] = {
    "omission": Kind("fewer than 60 % of the reference's characters", is_omission),
    "repeat": Kind("words that are said again at once", is_repeat),
    "unknown": Kind("unknown tokens", is_unknown),
    "copied": Kind("three source words in a row that the reference does not have", is_copied),
    "number": Kind("other numbers than the reference", is_wrong_number),
}


def kinds_of(sentence: Sentence) -> tuple[str, ...]:
    """Return the names of the kinds of mistakes in an output."""
    return tuple(name for name, kind in KINDS.items() if kind.found(sentence))


def count_words(texts: Iterable[str], words: Collection[str]) -> Counter[str]:
    """Return how often some words occur in texts; memory does not grow with the texts."""
    wanted = frozenset(words)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(unit for unit in units_of(text) if unit in wanted)
    return counts


def rare_words(source: str, counts: Counter[str]) -> tuple[str, ...]:
    """Return the words of a source that occur fewer than three times in training."""
    return tuple(dict.fromkeys(unit for unit in units_of(source) if counts[unit] < RARE))

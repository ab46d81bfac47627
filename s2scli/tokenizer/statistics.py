"""Statistics of a text, from which a tokenizer is chosen."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True)
class TextStatistics:
    """Counts over the texts of one side of a corpus, or a sample of them.

    Attributes:
        texts: the number of texts.
        characters: the count of each character, without spaces.
        words: the count of each word; words are split at white space.
        weight: the number of texts in the corpus for each counted text.
    """

    texts: int
    characters: Counter[str]
    words: Counter[str]
    weight: float

    @property
    def corpus_characters(self) -> float:
        """The estimated number of characters in the whole corpus."""
        return self.characters.total() * self.weight

    @property
    def characters_per_text(self) -> float:
        """The mean length of a text, in characters."""
        return self.characters.total() / max(1, self.texts)

    @property
    def words_per_text(self) -> float:
        """The mean length of a text, in words."""
        return self.words.total() / max(1, self.texts)

    @property
    def new_word_rate(self) -> float:
        """The probability that the next word is a new one (Good-Turing estimate)."""
        once = sum(count == 1 for count in self.words.values())
        return once / max(1, self.words.total())

    def alphabet(self, coverage: float) -> int:
        """Return how many of the most frequent characters make up `coverage` of the text."""
        wanted = coverage * self.characters.total()
        counts = (count for _, count in self.characters.most_common())
        before = sum(reached < wanted for reached in accumulate(counts))
        return min(before + 1, len(self.characters))

    def __add__(self, other: "TextStatistics") -> "TextStatistics":
        return TextStatistics(
            self.texts + other.texts,
            self.characters + other.characters,
            self.words + other.words,
            self.weight,
        )


def count_pairs(
    pairs: Iterable[tuple[str, str]], rows: int
) -> tuple[TextStatistics, TextStatistics]:
    """Return the statistics of the sources and of the targets.

    Args:
        pairs: a sample of the corpus.
        rows: number of pairs in the corpus.
    """
    characters: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    words: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    texts = 0
    for pair in pairs:
        texts += 1
        for side, text in enumerate(pair):
            parts = text.split()
            words[side].update(parts)
            characters[side].update("".join(parts))
    weight = rows / max(1, texts)
    return (
        TextStatistics(texts, characters[0], words[0], weight),
        TextStatistics(texts, characters[1], words[1], weight),
    )


def shared_characters(one: TextStatistics, other: TextStatistics) -> float:
    """Return the share of running characters that two texts share, 0 to 1."""
    total, other_total = max(1, one.characters.total()), max(1, other.characters.total())
    return sum(
        min(count / total, other.characters[character] / other_total)
        for character, count in one.characters.items()
    )

"""Diversity of outputs: distinct n-grams (Li et al. 2016) and the commonest output."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from s2scli.scripts import is_unspaced


@dataclass(frozen=True)
class Diversity:
    """How much texts repeat each other, in percent.

    Attributes:
        distinct1: distinct tokens, of all tokens (Li et al. 2016, section 5).
        distinct2: distinct pairs of adjacent tokens, of all such pairs.
        commonest: texts that equal the commonest text.
        commonest_text: that text.
        words: mean number of space-separated words of a text (not in percent).
    """

    distinct1: float
    distinct2: float
    commonest: float
    commonest_text: str
    words: float


def diversity(texts: Sequence[str]) -> Diversity:
    """Return how much texts repeat each other; at least one text is needed.

    Tokens are words and punctuation marks in lower case, and the characters of scripts without
    spaces. The shares of distinct n-grams fall as the
    number of texts grows: compare only files of the same size.
    """
    tokens = [_tokens(text.lower()) for text in texts]
    text, count = Counter(one.strip() for one in texts).most_common(1)[0]
    return Diversity(
        _share_distinct(tokens, 1),
        _share_distinct(tokens, 2),
        100 * count / len(texts),
        text,
        sum(len(one.split()) for one in texts) / len(texts),
    )


def _tokens(text: str) -> list[str]:
    """Return the tokens of a text; a mark belongs to the character before it."""
    tokens: list[str] = []
    goes_on = in_word = False  # whether there is no space before a character, and a word
    for character in text:
        kind = unicodedata.category(character)[0]
        if character.isspace():
            goes_on = in_word = False
            continue
        begins = kind in "LMN" or character == "_"
        begins = begins and not is_unspaced(character)
        if goes_on and (kind == "M" or (begins and in_word)):
            tokens[-1] += character
        else:
            tokens.append(character)
            in_word = begins
        goes_on = True
    return tokens


def _share_distinct(texts: Sequence[Sequence[str]], size: int) -> float:
    """Return the percentage of n-grams of `size` tokens that are distinct; 0 if there are none."""
    ngrams = [
        tuple(text[start : start + size]) for text in texts for start in range(len(text) - size + 1)
    ]
    return 100 * len(set(ngrams)) / len(ngrams) if ngrams else 0.0

"""Noise on the surface of a text: typing errors, case, dropped, swapped and unknown words.

All functions are pure: the same text, rates and random numbers give the same result.
"""

import functools
import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from s2scli.data.settings import SurfaceNoise

NO_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana and Han
WORD = re.compile(rf"[{NO_SPACES}]|[^\s{NO_SPACES}]+")
NEIGHBOURS = 32  # code points of an alphabet that is not Latin

Words: TypeAlias = Sequence[str | None]  # None is a dropped word


def random_for(seed: int, number: int) -> Random:
    """Return the random numbers of a line, which depend only on a seed and the line's number."""
    return Random(f"{seed} {number}")


def noisy(text: str, noise: SurfaceNoise, random: Random) -> str:
    """Return a text with noise; white space between words is kept.

    The steps are, in order: swap, drop, unknown, typos, case. At least one word is kept. A word is
    a run without white space, or one Chinese or Japanese character.

    Args:
        text: the text.
        noise: the rate of each kind; a rate of 0 draws no random number.
        random: the random numbers.
    """
    if not noise.is_noisy:
        return text
    gaps, words = WORD.split(text), WORD.findall(text)
    changed: Words = words
    for name, change in NOISES.items():
        if rate := getattr(noise, name):
            changed = change(changed, rate, random)
    if all(word is None for word in changed):
        changed = words
    kept = [(gap, word) for gap, word in zip(gaps[:-1], changed, strict=True) if word is not None]
    between = "".join(word if not index else gap + word for index, (gap, word) in enumerate(kept))
    return gaps[0] + between + gaps[-1] if words else text


def swap_words(words: Words, rate: float, random: Random) -> Words:
    """Swap a word with the next one; a swapped word is not swapped again."""
    found = list(words)
    index = 0
    while index < len(found) - 1:
        if random.random() < rate:
            found[index : index + 2] = found[index + 1], found[index]
            index += 1
        index += 1
    return found


def drop_words(words: Words, rate: float, random: Random) -> Words:
    """Drop words."""
    return [None if random.random() < rate else word for word in words]


def in_each(change: Callable[[str, Random], str]) -> Callable[[Words, float, Random], Words]:
    """Return the noise that changes each word by itself."""

    def changed(words: Words, rate: float, random: Random) -> Words:
        return [
            change(word, random) if word is not None and random.random() < rate else word
            for word in words
        ]

    return changed


def mistype(word: str, random: Random) -> str:
    """Make one typing error: swap two letters, drop one, repeat one, or replace one.

    A word of one letter only has it repeated or replaced; one without letters is not changed.
    These are the four errors of Karpukhin et al. 2019, section 3, with a repeated letter as the
    inserted one.
    """
    letters = [index for index, character in enumerate(word) if character.isalpha()]
    if not letters:
        return word
    at = random.choice(letters)
    kinds = ["repeat", "replace"] + ["drop"] * (len(letters) > 1)
    if word[at + 1 : at + 2].isalpha() and word[at] != word[at + 1]:
        kinds.append("swap")
    before, letter, after = word[:at], word[at], word[at + 1 :]
    match random.choice(kinds):
        case "repeat":
            return before + letter + letter + after
        case "replace":
            return before + _other_letter(letter, random) + after
        case "drop":
            return before + after
        case _:
            return before + after[0] + letter + after[1:]


def change_case(word: str, random: Random) -> str:
    """Write a word in lower case, in capitals or with a first capital, unlike it is written."""
    others = sorted({word.lower(), word.upper(), word[:1].upper() + word[1:].lower()} - {word})
    return random.choice(others) if others else word


def make_unknown(word: str, random: Random) -> str:
    """Replace every letter by another one of its script: a word that no text has."""
    return "".join(_other_letter(one, random) if one.isalpha() else one for one in word)


def _other_letter(letter: str, random: Random) -> str:
    others = _others(letter)
    return random.choice(others) if others else letter


@functools.lru_cache(4096)
def _others(letter: str) -> str:
    """Return the other letters of a letter's alphabet, in the same case.

    Of Latin letters, these are the English ones; of other scripts, those in the same block of 32
    code points.
    """
    script, kind = _script(letter), unicodedata.category(letter)
    if script == "LATIN":
        found = string.ascii_uppercase if kind == "Lu" else string.ascii_lowercase
    else:
        first = ord(letter) // NEIGHBOURS * NEIGHBOURS
        found = "".join(map(chr, range(first, first + NEIGHBOURS)))
    alike = (one for one in found if (_script(one), unicodedata.category(one)) == (script, kind))
    return "".join(one for one in alike if one != letter)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]


NOISES: Mapping[str, Callable[[Words, float, Random], Words]] = {
    "swap": swap_words,
    "drop": drop_words,
    "unknown": in_each(make_unknown),
    "typos": in_each(mistype),
    "case": in_each(change_case),
}

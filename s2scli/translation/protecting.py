"""Protected texts: numbers, URLs, e-mail addresses and tags that outputs must contain unchanged."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s2scli.scripts import UNSPACED, WIDE
from s2scli.search.spelling import in_word
from s2scli.translation.glossary import holds

LETTERS = "XYZQWKVJUHGFDBCEMNLPRST"
STANDING_IN = (*LETTERS, *LETTERS.lower(), *map(str, range(2, 100)))
LETTER = rf"(?:\d|(?!{UNSPACED.pattern})[^\W_])"  # a part of a word, in a script with spaces
NAMING = rf"(?:(?!{UNSPACED.pattern})[\w-])"
END = rf"""(?!{WIDE.pattern})[^\s<>"'.,;:!?()\[\]{{}}]"""
PROTECTED = re.compile(
    rf"""(?P<tag></?[A-Za-z][^<>]*>|<[A-Za-z][^<>]*/>)
    |(?P<address>(?:(?:https?|ftp)://|www\.)(?:(?!{WIDE.pattern})[^\s<>"])*{END})
    |(?P<mail>(?<![.+])(?<!{NAMING})(?:{NAMING}|[.+])+@{NAMING}+(?:\.{NAMING}+)+)
    |(?P<number>(?<!{LETTER})\d+(?:[.,:/-]\d+)*(?!{LETTER}))""",
    re.VERBOSE,
)

Spellable = Callable[[str], bool]


@dataclass(frozen=True)
class StandIn:
    """A short word in the place of a protected text.

    Attributes:
        word: the word, which stands nowhere else in the source.
        original: the protected text.
        glued: whether a word, or another protected text, stood directly before it and after it.
    """

    word: str
    original: str
    glued: tuple[bool, bool] = (False, False)

    @property
    def pattern(self) -> str:
        """A pattern that finds the word, with the spaces that the protected text did not have."""
        before, after = (" ?" * glued for glued in self.glued)
        return f"{before}{_alone(self.word)}{after}"


@dataclass(frozen=True)
class Protected:
    """A source whose protected texts are safe.

    Attributes:
        text: the source as the model reads it.
        numbers: the protected texts that the model writes itself, in order.
        stand_ins: the other protected texts, with the words that stand in for them.
    """

    text: str
    numbers: tuple[str, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()

    def restore(self, text: str) -> str:
        """Return an output with the protected texts in the place of their words."""
        if not self.stand_ins:
            return text
        pattern = "|".join(f"({each.pattern})" for each in self.stand_ins)
        return re.sub(
            pattern, lambda match: self.stand_ins[(match.lastindex or 1) - 1].original, text
        )

    def within(self, text: str) -> "Protected":
        """Return what is protected in a part of the source, as the model reads it."""
        numbers = tuple(match.group() for match in PROTECTED.finditer(text) if match["number"])
        held = [each for each in self.stand_ins if holds(text, each.word)]
        own = [number for number in numbers if number not in {each.word for each in held}]
        return Protected(text, tuple(own), tuple(held))


def protect(
    text: str, writes: Spellable, may_stand_in: Spellable, more: Sequence[str] = ()
) -> Protected | None:
    """Find the protected texts of a source, and put short words in the place of some of them.

    A number stays if the model can write it. Everything else is replaced by a single letter, or a
    number or another word if there is none left, that stands nowhere else in the source.

    Args:
        text: the source.
        writes: whether the model can write a text exactly.
        may_stand_in: whether a word may stand in: the model can read and write it.
        more: more words that may stand in, if letters and numbers do not suffice.

    Returns:
        The protected source; None if there are too few words to stand in.
    """
    bare = PROTECTED.sub(" ", text)
    free = iter(
        word
        for word in (*STANDING_IN, *more)
        if not (holds(text, word) or holds(bare, word)) and may_stand_in(word)
    )
    parts, numbers, stand_ins, end = list[str](), list[str](), list[StandIn](), 0
    for match in PROTECTED.finditer(text):
        original = match.group()
        if match["number"] and writes(original):
            numbers.append(original)
            continue
        word = next(free, "")
        if not word:
            return None
        glued = _glued(text, match, end)
        stand_ins.append(StandIn(word, original, glued))
        spaced = f"{' ' * glued[0]}{word}{' ' * glued[1]}"
        parts += [text[end : match.start()], spaced]
        end = match.end()
    return Protected("".join([*parts, text[end:]]), tuple(numbers), tuple(stand_ins))


def _glued(text: str, match: re.Match[str], end: int) -> tuple[bool, bool]:
    """Return whether a stand-in would be part of a word before it or after it, without a space.

    Args:
        text: the source.
        match: the protected text.
        end: where the last protected text before it ends.
    """
    before, after = text[: match.start()][-1:], text[match.end() :][:1]
    follows = 0 < end == match.start()
    return follows or (bool(before) and in_word(before)), bool(after) and in_word(after)


def _alone(text: str) -> str:
    """Return a pattern that finds a text where no word of a script with spaces continues."""
    before = rf"(?<!{LETTER})" if in_word(text[0]) else ""
    after = rf"(?!{LETTER})" if in_word(text[-1]) else ""
    return f"{before}{re.escape(text)}{after}"

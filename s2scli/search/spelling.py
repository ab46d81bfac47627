"""What each token of a vocabulary writes, and where words begin and end. Imports no torch."""

import functools
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.scripts import is_unspaced

CLOSING = tuple(".,:;!?)]}%…”’")
EMOJI_STYLE = "\ufe00", "\ufe0f"  # variation selectors, which Unicode counts as marks
JOINING = frozenset([b".", b",", b":", b"/", b"-"])


def in_word(character: str) -> bool:
    """Whether a character is a letter, mark or digit of a script with spaces between words."""
    if EMOJI_STYLE[0] <= character <= EMOJI_STYLE[1] or is_unspaced(character):
        return False
    return unicodedata.category(character)[0] in "LMN"


def begins_word(text: bytes) -> bool:
    """Whether the first character of UTF-8 text is part of a word."""
    decoded = text[:4].decode(errors="replace")
    return bool(decoded) and in_word(decoded[0])


def ends_word(text: bytes) -> bool:
    """Whether the last character of UTF-8 text is part of a word."""
    decoded = text[-4:].decode(errors="replace")
    return bool(decoded) and in_word(decoded[-1])


def closes(text: bytes) -> bool:
    """Whether the last character of UTF-8 text is part of a word or ends a word or a sentence."""
    return ends_word(text) or text.decode(errors="replace").endswith(CLOSING)


@dataclass(frozen=True)
class Spelling:
    """What each token writes.

    Attributes:
        texts: the UTF-8 text of each token, with a space where a word begins; empty for special
            tokens, [V].
    """

    texts: tuple[bytes, ...]

    @functools.cached_property
    def begins_word(self) -> NDArray[np.bool_]:
        """Whether the text of each token continues a word that stands before it, [V]."""
        return np.array([*map(begins_word, self.texts)], np.bool_)

    @functools.cached_property
    def closes(self) -> NDArray[np.bool_]:
        """Whether a word that follows each token begins with a space: not after ( or -, [V]."""
        return np.array([*map(closes, self.texts)], np.bool_)

    @functools.cached_property
    def joins(self) -> NDArray[np.bool_]:
        """Whether each token is a character that joins digits into one number, [V]."""
        return np.array([text in JOINING for text in self.texts], np.bool_)

    @functools.cached_property
    def begins_digit(self) -> NDArray[np.bool_]:
        """Whether the text of each token begins with a digit, [V]."""
        return np.array([text.decode(errors="replace")[:1].isdigit() for text in self.texts])

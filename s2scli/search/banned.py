"""Banned words: texts that no output contains, however tokens spell them. Imports no torch."""

import bisect
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2scli.search.spelling import Spelling, begins_word, ends_word
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID

CACHED = 100_000  # beginnings of outputs whose forbidden tokens are kept
Match = tuple[bytes, int]
SPACE = "▁".encode()  # as pieces of single bytes spell a space


@dataclass(frozen=True)
class Copies:
    """The tokens outside the vocabulary that can be copied from a source.

    Attributes:
        texts: the text of each token.
        touching: those that are never copied, as they can be part of a banned word.
        breaking: those that end a word that stands before them.
    """

    texts: Mapping[int, bytes]
    touching: frozenset[int]
    breaking: frozenset[int]


@dataclass(frozen=True)
class BannedWords:
    """Knows the tokens that would complete a banned word.

    A word counts where it stands by itself: no letter, mark or digit before or after it. In a
    script without spaces, it counts everywhere. Upper and lower case differ. Because the texts of
    the tokens are compared, the segmentation into tokens does not matter. A longer word that
    begins with a banned one stays possible.

    Attributes:
        words: the banned texts, in UTF-8, as the tokenizer normalises them; none is empty.
        spelling: what each token writes.
    """

    words: tuple[bytes, ...]
    spelling: Spelling

    @functools.cached_property
    def tokens_read(self) -> int:
        """How many tokens of an output, its last ones, decide what is forbidden after it."""
        return max(map(len, self.words)) + 4  # the most bytes of a character

    def forbidden(
        self, tokens: Sequence[int], *, last: bool, copies: Copies | None = None
    ) -> frozenset[int]:
        """Return the tokens that may not follow an output.

        Args:
            tokens: the last `tokens_read` tokens of the output, or all if it has fewer.
            last: whether only the end token can follow the next token.
            copies: what can be copied from the source; None is nothing.
        """
        found = self._after(self._written(tokens, copies.texts if copies else {}), last)
        if copies is None:
            return found
        ended = EOS_ID in found  # after a banned word, which only a longer one may continue
        return found | copies.touching | (copies.breaking if ended else frozenset())

    def copies(self, texts: Mapping[int, bytes]) -> Copies:
        """Return what can be copied from a source, given the text of each copied token."""
        return Copies(
            texts,
            frozenset(token for token, text in texts.items() if self.touch(text)),
            frozenset(token for token, text in texts.items() if not begins_word(text)),
        )

    def _written(self, tokens: Sequence[int], copied: Mapping[int, bytes]) -> bytes:
        """Return the text of tokens; one that is neither known nor copied has none."""
        texts = self.spelling.texts
        written = [texts[id] if id < len(texts) else copied.get(id, b"") for id in tokens]
        return b"".join(written).replace(SPACE, b" ")

    def _after(self, written: bytes, last: bool) -> frozenset[int]:
        """Return the tokens of the vocabulary that may not follow a text."""
        key = written[-self.tokens_read :], last
        if key not in self._cache:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            self._cache[key] = self._find(key[0], last or self._always_ends)
        return self._cache[key]

    def touch(self, text: bytes) -> bool:
        """Whether a text, such as a copy from the source, can be part of a banned word."""
        return any(_overlap(word, text) for word in self.words)

    @functools.cached_property
    def _beginnings(self) -> dict[bytes, list[Match]]:
        """Each beginning of a banned word, with the words and the number of bytes matched."""
        found: dict[bytes, list[Match]] = {}
        for word in self.words:
            for length in range(len(word) + 1):
                found.setdefault(word[:length], []).append((word, length))
        return found

    @functools.cached_property
    def _cache(self) -> dict[tuple[bytes, bool], frozenset[int]]:
        return {}

    def _find(self, tail: bytes, last: bool) -> frozenset[int]:
        found = set(self._inside[last])
        for length in range(len(tail) + 1):
            start = len(tail) - length
            for word, matched in self._beginnings.get(tail[start:], ()):
                if not (begins_word(word) and ends_word(tail[:start])):
                    found |= self._completing(word, matched, last)
        return frozenset(found)

    @functools.cached_property
    def _always_ends(self) -> bool:
        """Whether no token can continue a word; then a banned word may not be spelled at all."""
        return not self.spelling.begins_word.any()

    @functools.cached_property
    def _order(self) -> tuple[list[bytes], list[int]]:
        """The texts in alphabetical order, and their tokens."""
        texts = self.spelling.texts
        order = sorted(range(len(texts)), key=texts.__getitem__)
        return [texts[token] for token in order], order

    @functools.cached_property
    def _breaks(self) -> frozenset[int]:
        """The tokens that end a word that stands before them."""
        texts = self.spelling.texts
        begins = self.spelling.begins_word
        ends = {token for token, text in enumerate(texts) if text and not begins[token]}
        return frozenset((ends | {EOS_ID}) - {PAD_ID, BOS_ID})

    @functools.cached_property
    def _inside(self) -> tuple[frozenset[int], frozenset[int]]:
        """The tokens with a banned word inside; those that may end with it are in the second."""
        closed, ended = set[int](), set[int]()
        for token, text in enumerate(self.spelling.texts):
            for word in self.words:
                start = text.find(word, 1)
                while start > 0:
                    after = text[start + len(word) :]
                    if not (begins_word(word) and ends_word(text[:start])):
                        closed |= {token} if _closes(word, after) else set()
                        ended |= {token} if not after else set()
                    start = text.find(word, start + 1)
        return frozenset(closed), frozenset(closed | ended)

    @functools.cached_property
    def _completions(self) -> dict[tuple[bytes, int, bool], frozenset[int]]:
        return {}

    def _completing(self, word: bytes, matched: int, last: bool) -> frozenset[int]:
        """Return the tokens that complete a word of which some bytes have been written."""
        key = word, matched, last
        if key not in self._completions:
            self._completions[key] = self._complete(word, word[matched:], last)
        return self._completions[key]

    def _complete(self, word: bytes, rest: bytes, last: bool) -> frozenset[int]:
        if not rest:
            return self._breaks if ends_word(word) else frozenset()
        texts, order = self._order
        first, found = bisect.bisect_left(texts, rest), set[int]()
        for text, token in zip(texts[first:], order[first:], strict=True):
            if not text.startswith(rest):
                break
            after = text[len(rest) :]
            if _closes(word, after) or (last and not after):
                found.add(token)
        return frozenset(found)


def _overlap(word: bytes, text: bytes) -> bool:
    """Whether a word that stands by itself can begin in a text, end in it or be inside it."""
    for start in range(1 - len(word), len(text) if text else -len(word)):
        end = start + len(word)
        if text[max(start, 0) : end] != word[max(-start, 0) : len(text) - start]:
            continue
        joined = start > 0 and begins_word(word) and ends_word(text[:start])
        if not joined and (end >= len(text) or _closes(word, text[end:])):
            return True
    return False


def _closes(word: bytes, after: bytes) -> bool:
    """Whether a word stands by itself if this text of the same token follows it."""
    return not ends_word(word) or (bool(after) and not begins_word(after))

"""Split or truncate text that is too long for a model."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from s2scli.data.sentences import CLAUSE_END, LOOSE_END, split_sentences

SPACE = re.compile(r"\s+")


def split_text(text: str, fits: Callable[[str], bool]) -> tuple[str, ...]:
    """Split `text` into parts that all fit, by halving it recursively.

    Each cut is at the sentence end nearest to the middle, within the middle half of the text. If
    there is none, it is at the nearest full stop of any kind in that half, else at the end of a
    clause (a comma and its like), else at a space, else exactly in the middle. Each part keeps the
    white space after it, and the first one also the white space before it: joined, the parts are
    the text. A blank text has no parts.

    Args:
        text: the text to split.
        fits: returns whether a text is short enough; it is not called for single characters. The
            text has no white space around it.
    """
    body = text.strip()
    if len(body) < 2 or fits(body):
        return (text,) if body else ()
    cut = len(text) - len(text.lstrip()) + _best_cut(body)
    return split_text(text[:cut], fits) + split_text(text[cut:], fits)


def truncate_text(text: str, fits: Callable[[str], bool]) -> str:
    """Return the longest prefix of `text` that fits, cut at its last space if it has one."""
    low, high = 0, len(text)  # text[:low] fits, text[:high + 1] does not
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    if low == len(text):
        return text
    last_space = text.rfind(" ", 0, low + 1)
    return text[:last_space] if last_space > 0 and text[:last_space].strip() else text[:low]


def _best_cut(text: str) -> int:
    """Return where to cut a text, which has no white space around it."""
    middle, quarter = len(text) // 2, len(text) // 4
    for ends in _boundaries(text):
        cuts = [
            cut for cut in ends if quarter <= cut <= len(text) - quarter and 0 < cut < len(text)
        ]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - middle))
    return middle


def _boundaries(text: str) -> Iterator[Iterable[int]]:
    """Yield where a text can be cut, the best kind first."""
    yield accumulate(map(len, split_sentences(text)))
    for boundary in (LOOSE_END, CLAUSE_END, SPACE):
        yield (found.end() for found in boundary.finditer(text))

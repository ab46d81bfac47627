"""Split or truncate text that is too long for a model."""

import re
from collections.abc import Callable

SENTENCE_END = re.compile(r"[.!?…]['\")\]»”’]*\s+|[。！？｡]['\")\]」』”’]*\s*")
SPACE = re.compile(r"\s+")


def split_text(text: str, fits: Callable[[str], bool]) -> tuple[str, ...]:
    """Split `text` into parts that all fit, by halving it recursively.

    Each cut is at the sentence end nearest to the middle, within the middle half of the text. If
    there is none, it is at the nearest space in that half, else exactly in the middle. White space
    around the parts is removed.

    Args:
        text: the text to split.
        fits: returns whether a text is short enough; it is not called for single characters.
    """
    text = text.strip()
    if len(text) < 2 or fits(text):
        return (text,) if text else ()
    cut = _best_cut(text)
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
    return text[:last_space] if last_space > 0 else text[:low]


def _best_cut(text: str) -> int:
    middle, quarter = len(text) // 2, len(text) // 4
    for boundary in (SENTENCE_END, SPACE):
        cuts = [found.end() for found in boundary.finditer(text, quarter, len(text) - quarter)]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - middle))
    return middle

"""Text that is too long for a model: cut where it hurts least."""

import re
from collections.abc import Callable

SENTENCE_END = re.compile(r"[.!?…]['\")\]»”’]*\s+|[。！？｡]['\")\]」』”’]*\s*")
SPACE = re.compile(r"\s+")


def split_text(text: str, fits: Callable[[str], bool]) -> tuple[str, ...]:
    """Return `text` in parts that all fit, halved again and again at the best place.

    The best place is the end of a sentence in the middle half of the text, else a space there,
    else the very middle. The parts lack the white space between them.

    Args:
        text: what to split.
        fits: whether a text is short enough; a single character always is.
    """
    text = text.strip()
    if len(text) < 2 or fits(text):
        return (text,) if text else ()
    place = _best_cut(text)
    return split_text(text[:place], fits) + split_text(text[place:], fits)


def truncate_text(text: str, fits: Callable[[str], bool]) -> str:
    """Return the longest beginning of `text` that fits, cut at a space where there is one."""
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
        places = [found.end() for found in boundary.finditer(text, quarter, len(text) - quarter)]
        if places:
            return min(places, key=lambda place: abs(place - middle))
    return middle

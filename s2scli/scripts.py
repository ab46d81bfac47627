"""Scripts that are written without spaces between words."""

import re

HAN = re.compile(
    r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
# Thai, Lao, Burmese, Khmer, kana
OTHER_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d]"
)
# punctuation and wide forms of these scripts
WIDE = re.compile(r"[\u3000-\u303f\uff00-\uff65\uff9e\uff9f]")
UNSPACED = re.compile("|".join(script.pattern for script in (HAN, OTHER_UNSPACED, WIDE)))


def is_unspaced(text: str) -> bool:
    """Whether `text` contains a character of a script without spaces between words."""
    return UNSPACED.search(text) is not None


def units_of(text: str) -> list[str]:
    """Return the words of a text; the characters if most of it is written without spaces."""
    words = text.split()
    letters = "".join(words)
    return list(letters) if 2 * sum(map(is_unspaced, letters)) > len(letters) else words


def space_between(left: str, right: str) -> str:
    """Return what joins two texts: a space, or nothing between scripts without spaces."""
    return "" if is_unspaced(left[-1:]) and is_unspaced(right[:1]) else " "

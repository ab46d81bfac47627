"""A filter on texts in another script than expected, and the scripts of Unicode."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from s2scli.data.cleaning.pairs import Pairs, Scores, Texts
from s2scli.data.cleaning.rule import Context, Filter

# The letters of each script: pairs of first and last code point.
SCRIPTS: dict[str, tuple[tuple[int, int], ...]] = {
    "Latin": (
        *((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2AF)),
        *((0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF), (0xFF21, 0xFF3A)),
        (0xFF41, 0xFF5A),
    ),
    "Greek": ((0x370, 0x373), (0x376, 0x37D), (0x386, 0x3E1), (0x3F0, 0x3FF), (0x1F00, 0x1FFF)),
    "Cyrillic": ((0x400, 0x481), (0x48A, 0x52F), (0x1C80, 0x1C8F), (0xA640, 0xA66E)),
    "Armenian": ((0x531, 0x556), (0x560, 0x588)),
    "Hebrew": ((0x5D0, 0x5F2), (0xFB1D, 0xFB4F)),
    "Arabic": (
        *((0x620, 0x64A), (0x66E, 0x6D3), (0x6D5, 0x6D5), (0x6EE, 0x6EF), (0x6FA, 0x6FF)),
        *((0x750, 0x77F), (0x8A0, 0x8C7), (0xFB50, 0xFDFB), (0xFE70, 0xFEFC)),
    ),
    "Devanagari": ((0x904, 0x939), (0x93E, 0x94C), (0x958, 0x961), (0x971, 0x97F)),
    "Bengali": ((0x985, 0x9B9), (0x9BE, 0x9CC), (0x9DC, 0x9E1)),
    "Gurmukhi": ((0xA05, 0xA39), (0xA3E, 0xA4C), (0xA59, 0xA5E)),
    "Gujarati": ((0xA85, 0xAB9), (0xABE, 0xACC)),
    "Tamil": ((0xB83, 0xBB9), (0xBBE, 0xBCC)),
    "Telugu": ((0xC05, 0xC39), (0xC3E, 0xC4C)),
    "Kannada": ((0xC85, 0xCB9), (0xCBE, 0xCCC)),
    "Malayalam": ((0xD05, 0xD3A), (0xD3E, 0xD4C)),
    "Sinhala": ((0xD85, 0xDC6), (0xDCF, 0xDDF)),
    "Thai": ((0xE01, 0xE30), (0xE32, 0xE33), (0xE40, 0xE46)),
    "Lao": ((0xE81, 0xEB0), (0xEB2, 0xEB3), (0xEC0, 0xEC6)),
    "Tibetan": ((0xF40, 0xF6C),),
    "Burmese": ((0x1000, 0x1031), (0x1050, 0x1055)),
    "Georgian": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2D)),
    "Ethiopic": ((0x1200, 0x135A), (0x1380, 0x138F)),
    "Khmer": ((0x1780, 0x17B3),),
    "Hangul": ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97C), (0xAC00, 0xD7FB)),
    "Kana": ((0x3041, 0x3096), (0x30A1, 0x30FA), (0x30FC, 0x30FC), (0x31F0, 0x31FF)),
    "Han": ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAD9)),
}
NAMES = tuple(SCRIPTS)
MIXED = {"Kana": ("Han",), "Hangul": ("Han",)}  # scripts that are written with another one
MIXED_SHARE = 0.1  # a text with this share of kana among Han is Japanese
TABLE_SIZE = 0x20000


def script_counts(side: Texts) -> NDArray[np.int64]:
    """Return the number of letters of each script in each text, [rows, scripts]."""
    scripts = _scripts_of(side.codes)
    counts = np.empty((len(side.texts), len(NAMES)), np.int64)
    present = set(np.flatnonzero(np.bincount(scripts, minlength=len(NAMES) + 1)).tolist())
    for number in range(len(NAMES)):
        counts[:, number] = side.counts(scripts == number + 1) if number + 1 in present else 0
    return counts


def commonest_script(counts: NDArray[np.int64]) -> str:
    """Return the script of most letters; Kana for Japanese; "" if there are no letters.

    Args:
        counts: the number of letters of each script, [scripts].
    """
    if not counts.any():
        return ""
    name = NAMES[int(np.argmax(counts))]
    for other, written_with in MIXED.items():
        if name in written_with and counts[NAMES.index(other)] > MIXED_SHARE * counts.sum():
            return other
    return name


def expected_script(texts: Sequence[str]) -> str:
    """Return the commonest script of a sample; "" if it has no letters."""
    return commonest_script(script_counts(Texts(texts)).sum(0)) if texts else ""


@cache
def _table() -> NDArray[np.uint8]:
    """Return the number of the script of each code point, from 1; 0 if it is no letter."""
    table = np.zeros(TABLE_SIZE + 1, np.uint8)
    for number, ranges in enumerate(SCRIPTS.values(), start=1):
        for first, last in ranges:
            table[first : last + 1] = number
    return table


def _scripts_of(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the number of the script of each character; Han is also at 20000 to 3ffff."""
    scripts = _table()[np.minimum(codes, TABLE_SIZE)]
    scripts[(codes >= 0x20000) & (codes < 0x40000)] = NAMES.index("Han") + 1
    return scripts


def _score(pairs: Pairs, context: Context) -> Scores:
    scripts = context.source_script, context.target_script
    scores = (_share(side, script) for side, script in zip(pairs.sides, scripts, strict=True))
    return np.maximum(*scores)


def _share(side: Texts, script: str) -> Scores:
    """Return the share of letters of each text that are of another script, [rows]."""
    if not script:
        return np.zeros(len(side.texts))
    counts = script_counts(side)
    own = sum(counts[:, NAMES.index(name)] for name in (script, *MIXED.get(script, ())))
    letters = counts.sum(1)
    return np.asarray((letters - own) / np.maximum(letters, 1))


SCRIPT = Filter(
    measures="share of letters of another script than expected",
    score=_score,
    limit=lambda settings: settings.max_other_script,
    flag="--max-other-script",
)

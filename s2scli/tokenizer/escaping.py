"""Escape characters that have a special meaning for SentencePiece.

SentencePiece writes a space as ▁ and an unknown character as ▅, ends strings at NUL, uses the tab
internally, and reads `<s>` or `<0x41>` in its training text as special pieces. `escape` replaces
these, and the escape mark itself, by the mark ␛ (U+241B) and another character. `unescape` reverses
this exactly.
"""

import re

MARK = "\u241b"
_CONTROLS = {chr(code): chr(0x2400 + code) for code in range(0x20)}  # shown as ␀, ␊
_NAMES = {**_CONTROLS, "▁": "_", "▅": "#", MARK: "e", "<": "l"}
_ORIGINALS = {name: original for original, name in _NAMES.items()}
_SPECIAL = re.compile(rf"[\x00-\x1f▁▅{MARK}]|<(?=(?:/?s|unk|pad|0x[0-9A-F]{{2}})>)")
_ESCAPED = re.compile(f"{MARK}(.)", re.DOTALL)


def escape(text: str) -> str:
    """Escape control characters and everything that SentencePiece reserves."""
    if text.isascii() and text.isprintable() and "<" not in text:
        return text  # has nothing to escape, and most texts of a corpus are so
    return _SPECIAL.sub(lambda match: MARK + _NAMES[match.group()], text)


def unescape(text: str) -> str:
    """Reverse `escape`. An invalid escape, which a model may produce, stays unchanged."""
    return _ESCAPED.sub(lambda match: _ORIGINALS.get(match.group(1), match.group()), text)

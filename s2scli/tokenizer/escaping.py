"""Text that has a special meaning for SentencePiece, escaped so that it stays text.

SentencePiece writes a space as ▁, an unknown character as ▅, ends strings at NUL, uses the tab
for itself, and reads `<s>` or `<0x41>` in the text it learns from as its own pieces. `escape`
writes these, and the mark itself, with the mark ␛ (U+241B); `unescape` undoes it exactly.
"""

import re

MARK = "\u241b"
_CONTROLS = {chr(code): chr(0x2400 + code) for code in range(0x20)}  # as control pictures: ␀, ␊
_NAMES = {**_CONTROLS, "▁": "_", "▅": "#", MARK: "e", "<": "l"}
_ORIGINALS = {name: original for original, name in _NAMES.items()}
_SPECIAL = re.compile(rf"[\x00-\x1f▁▅{MARK}]|<(?=(?:/?s|unk|pad|0x[0-9A-F]{{2}})>)")
_ESCAPED = re.compile(f"{MARK}(.)", re.DOTALL)


def escape(text: str) -> str:
    """Return `text` without control characters and without anything SentencePiece reserves."""
    return _SPECIAL.sub(lambda match: MARK + _NAMES[match.group()], text)


def unescape(text: str) -> str:
    """Undo `escape`; a mark that `escape` did not write (a model may) is left as it is."""
    return _ESCAPED.sub(lambda match: _ORIGINALS.get(match.group(1), match.group()), text)

"""Pieces as people read them: a special token is one sign, and a legend says which."""

from collections.abc import Iterable

from s2scli.report.attention import END
from s2scli.report.cells import label

# No text has these pieces: the tokenizer escapes what looks like a special token.
SIGNS = {END: ("⏎", "end of the sentence"), "<unk>": ("⁇", "unknown")}


def piece_label(piece: str) -> str:
    """Return a piece as a label; a special token is one cell wide."""
    return SIGNS[piece][0] if piece in SIGNS else label(piece)


def sign_legend(pieces: Iterable[str]) -> str:
    """Return the meaning of the signs among `pieces`, such as `⏎ end of the sentence`."""
    found = set(pieces)
    return " · ".join(" ".join(meaning) for piece, meaning in SIGNS.items() if piece in found)

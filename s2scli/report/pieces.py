"""Pieces as labels: a special token is shown as one sign, which a legend explains."""

from collections.abc import Iterable

from s2scli.report.attention import END
from s2scli.report.cells import label

# Never a piece of the text: the tokenizer escapes text that looks like a special token.
SIGNS = {END: ("⏎", "end of the sentence"), "<unk>": ("⁇", "unknown")}


def piece_label(piece: str) -> str:
    """Return the label of a piece; that of a special token is one cell wide."""
    return SIGNS[piece][0] if piece in SIGNS else label(piece)


def sign_legend(pieces: Iterable[str]) -> str:
    """Return the meaning of the signs among `pieces`, such as `⏎ end of the sentence`."""
    found = set(pieces)
    return " · ".join(" ".join(meaning) for piece, meaning in SIGNS.items() if piece in found)

"""Unicode normal forms of a corpus and of the lines to translate."""

import unicodedata
from typing import Literal

Normalization = Literal["none", "nfc", "nfkc"]


def normalize(text: str, normalization: Normalization) -> str:
    """Return `text` in a Unicode normal form; "none" leaves it unchanged."""
    if normalization == "nfc":
        return unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFKC", text) if normalization == "nfkc" else text

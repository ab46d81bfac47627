"""Unicode normalization of a corpus and of the lines to translate."""

import unicodedata
from typing import Literal

Normalization = Literal["none", "nfc", "nfkc"]


def normalize(text: str, normalization: Normalization) -> str:
    """Convert `text` to a Unicode normal form; "none" leaves it unchanged."""
    if normalization == "nfc":
        return unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFKC", text) if normalization == "nfkc" else text

"""Unicode normal forms: what a corpus, and everything translated, may be brought into."""

import unicodedata
from typing import Literal

Normalization = Literal["none", "nfc", "nfkc"]


def normalize(text: str, normalization: Normalization) -> str:
    """Return `text` in a Unicode normal form, or as it is."""
    if normalization == "nfc":
        return unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFKC", text) if normalization == "nfkc" else text

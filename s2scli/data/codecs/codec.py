"""The protocol of codecs."""

from collections.abc import Sequence
from typing import Protocol

from s2scli.data.example import TokenIds
from s2scli.tokenizer.sentencepiece import SentencePiece


class Codec(Protocol):
    """Converts the cells of one side to token ids, and token ids to cells."""

    def encode(self, cell: str) -> TokenIds:
        """Return the token ids of a cell, without an end token."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the cell for token ids; end tokens are ignored."""
        ...

    def pieces(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return a readable name for each token."""
        ...


class MakeCodec(Protocol):
    """Makes a codec from a tokenizer."""

    def __call__(self, tokenizer: SentencePiece) -> Codec:
        """Return the codec for this tokenizer."""
        ...

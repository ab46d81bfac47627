"""The protocol of codecs."""

from collections.abc import Sequence
from typing import Protocol

from s2scli.data.example import TokenIds
from s2scli.tokenizer.sentencepiece import SentencePiece


class Codec(Protocol):
    """Turns the cells of one side into token ids, and token ids into cells."""

    def encode(self, cell: str) -> TokenIds:
        """Return the token ids of a cell, without an end token."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the cell of token ids; end tokens are left out."""
        ...

    def pieces(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return the name of each token, for display."""
        ...


class MakeCodec(Protocol):
    """Makes a codec around a tokenizer."""

    def __call__(self, tokenizer: SentencePiece) -> Codec:
        """Return the codec."""
        ...

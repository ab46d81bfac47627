"""The text codec: a cell is a line of text, cut into tokens by SentencePiece."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2scli.data.cleaning import tidy
from s2scli.data.example import TokenIds
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.sentencepiece import SentencePiece

SEPARATORS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True)
class TextCodec:
    """Encodes and decodes text with the tokenizer of one side."""

    tokenizer: SentencePiece

    def encode(self, cell: str) -> TokenIds:
        """Return the token ids of a text, which is tidied as the corpus was."""
        tidied = tidy(cell, self.tokenizer.normalization)
        return np.array(self.tokenizer.encode(tidied), dtype=np.int32)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of token ids, on one line."""
        return one_line(self.tokenizer.decode([id for id in token_ids if id != EOS_ID]))

    def pieces(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return the piece of each token; ▁ is a space."""
        return tuple(self.tokenizer.piece(int(id)) for id in token_ids)


def one_line(text: str) -> str:
    """Return `text` with a space for every character that some program reads as a line end."""
    return SEPARATORS.sub(" ", text)

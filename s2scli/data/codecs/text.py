"""The text codec: a cell is a line of text, tokenized by SentencePiece."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from s2scli.data.batching import Lengths
from s2scli.data.cleaning import tidy
from s2scli.data.example import TokenIds, Values
from s2scli.data.overlong import split_text, truncate_text
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.tokenizer.sentencepiece import SentencePiece, Span

if TYPE_CHECKING:
    from torch import Tensor

SEPARATORS = re.compile("[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class TextCodec:
    """Encodes and decodes text with the tokenizer of one side."""

    tokenizer: SentencePiece

    @property
    def reverse(self) -> bool:
        """Whether the tokens are in the order from right to left."""
        return self.tokenizer.reverse

    @property
    def are_words(self) -> bool:
        """Whether each token is a word, with a space before it."""
        return self.tokenizer.kind == "word"

    @property
    def tags(self) -> Collection[str]:
        """The tags that can stand in front of a source."""
        return self.tokenizer.tags

    def encode(self, cell: str, source: str = "") -> TokenIds:
        """Tidy a text in the same way as the corpus, and return its token ids."""
        tidied = tidy(cell, self.tokenizer.normalization)
        return np.array(self.tokenizer.encode(tidied), dtype=np.int32)

    def spans(self, cell: str) -> tuple[str, list[Span]]:
        """Return the characters of a text but spaces, and those that each of its tokens covers."""
        return self.tokenizer.spans(tidy(cell, self.tokenizer.normalization))

    def pad(self, sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
        """Return ids, with end tokens if the model reads them, padded [B, S], and lengths [B]."""
        from s2scli.data.batch import make_source  # torch takes over a second to import

        return make_source(sources, ends=self.tokenizer.ends)

    def length(self, values: Values) -> int:
        """Return the number of tokens that the model reads, with any end token."""
        return len(values) + self.tokenizer.ends

    def sizes(self, lengths: Lengths) -> Lengths:
        """Return the lengths unchanged: each token has one encoder state."""
        return lengths

    def utterances(self, cell: str) -> Sequence[str]:
        """Return nothing: only recordings have pauses."""
        return ()

    def parts(self, cell: str, most: int) -> Sequence[str]:
        """Split a text at sentence ends, or clauses, into texts of at most `most` tokens."""
        return split_text(cell, lambda text: len(self.encode(text)) <= most)

    def truncate(self, cell: str, most: int) -> str:
        """Return the beginning of a text, of at most `most` tokens."""
        return truncate_text(cell, lambda text: len(self.encode(text)) <= most)

    def labels(self, values: Values, positions: int, cell: str = "") -> tuple[str, ...]:
        """Return the piece of each token that the model reads, including any end token."""
        return self.pieces([*values.tolist(), *[EOS_ID] * self.tokenizer.ends])

    def unknown(self, values: Values) -> int:
        """Return the number of unknown tokens."""
        return int((values == UNK_ID).sum())

    def surfaces(self, cell: str) -> list[str]:
        """Return the text of each token, in reading order."""
        return self.tokenizer.surfaces(tidy(cell, self.tokenizer.normalization))

    def decode(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> str:
        """Return the text for token ids, on one line; end tokens are ignored."""
        return one_line(self.tokenizer.decode([id for id in token_ids if id != EOS_ID]))

    def decode_with(
        self, token_ids: Sequence[int], replaced: Mapping[int, str], source: Sequence[str] = ()
    ) -> str:
        """Return the text for token ids, with other texts for the tokens at some indices."""
        return one_line(self.tokenizer.decode_with(token_ids, replaced))

    def pieces(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the piece of each token; ▁ stands for a space."""
        return tuple(self.tokenizer.piece(int(id)) for id in token_ids)


def one_line(text: str) -> str:
    """Return `text` on one line, without control characters, which could affect a terminal.

    TAB and all Unicode line separators become spaces. Other control characters become visible
    symbols (ESC becomes ␛), or U+FFFD if they are not ASCII.
    """
    return CONTROLS.sub(_picture, SEPARATORS.sub(" ", text))


def _picture(control: re.Match[str]) -> str:
    code = ord(control.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\ufffd"

"""Measure how well a tokenizer suits a text."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2scli.special_ids import UNK_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.settings import Kind


@dataclass(frozen=True)
class TokenizerQuality:
    """The properties of a tokenizer, and how it splits a text.

    Attributes:
        kind: unigram, bpe, char or word.
        vocab_size: number of pieces, including special ones.
        byte_fallback: whether characters outside the vocabulary are written as bytes.
        pieces_per_word: mean number of pieces per word; words are split at white space.
        pieces_per_character: mean number of pieces per character, including spaces.
        unknown_rate: share of the pieces that are the unknown piece, 0 to 1.
    """

    kind: Kind
    vocab_size: int
    byte_fallback: bool
    pieces_per_word: float
    pieces_per_character: float
    unknown_rate: float


def measure_quality(tokenizer: SentencePiece, texts: Sequence[str]) -> TokenizerQuality:
    """Measure a tokenizer on some texts."""
    ids = tokenizer.encode_many(texts)
    pieces = sum(map(len, ids))
    return TokenizerQuality(
        kind=tokenizer.kind,
        vocab_size=tokenizer.vocab_size,
        byte_fallback=tokenizer.byte_fallback,
        pieces_per_word=pieces / max(1, sum(len(text.split()) for text in texts)),
        pieces_per_character=pieces / max(1, sum(map(len, texts))),
        unknown_rate=sum(text_ids.count(UNK_ID) for text_ids in ids) / max(1, pieces),
    )

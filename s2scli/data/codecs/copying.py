"""The codecs of a model that copies: text whose unknown pieces are kept apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from s2scli.data.cleaning import tidy
from s2scli.data.codecs.text import TextCodec, one_line
from s2scli.data.example import TokenIds, Values
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.copying import Copier
from s2scli.tokenizer.escaping import escape
from s2scli.tokenizer.sentencepiece import SPACE, Span

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CopyingSource(TextCodec):
    """Encodes sources so that the target can copy their tokens."""

    copier: Copier

    def encode(self, cell: str, source: str = "") -> TokenIds:
        """Tidy a text, and return its token ids; every unknown piece has an id of its own."""
        (ids,) = self.copier.encode_sources([tidy(cell, self.tokenizer.normalization)])
        return np.array(ids, dtype=np.int32)

    def pad(self, sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
        """Return ids with end tokens and the target ids of their copies, [B, S, 2]; lengths [B]."""
        import torch  # takes over a second to import

        ids, lengths = super().pad(sources)
        copies = torch.zeros_like(ids)
        for row, source in zip(copies, sources, strict=True):
            row[: len(source) + 1] = torch.from_numpy(self.copier.copies(source))
        return torch.stack([ids, copies], -1), lengths

    def labels(self, values: Values, positions: int, cell: str = "") -> tuple[str, ...]:
        """Return the piece of each token, including the end token; unknown ones as in the text."""
        pieces = self.copier.source_pieces(tidy(cell, self.tokenizer.normalization))
        return (*pieces, self.tokenizer.piece(EOS_ID))

    def surfaces(self, cell: str) -> list[str]:
        """Return the text of each token, without an end token; unknown ones are apart."""
        return self.copier.surfaces(tidy(cell, self.tokenizer.normalization))

    def spans(self, cell: str) -> tuple[str, list[Span]]:
        """Return the characters of a text but spaces, and those that each of its tokens covers."""
        return self.tokenizer.spans(tidy(cell, self.tokenizer.normalization), apart=True)

    def unknown(self, values: Values) -> int:
        """Return the number of tokens that the encoder reads as unknown."""
        return super().unknown(values) + int((values >= self.tokenizer.vocab_size).sum())


@dataclass(frozen=True)
class CopyingTarget(TextCodec):
    """Encodes and decodes targets that hold copies of source tokens."""

    copier: Copier

    def encode(self, cell: str, source: str = "") -> TokenIds:
        """Return the token ids of a target; an unknown piece that its source has is negative."""
        normalization = self.tokenizer.normalization
        tidied = tidy(cell, normalization), tidy(source, self.copier.source.normalization)
        (ids,) = self.copier.encode_targets([tidied[0]], [tidied[1]])
        return np.array(ids, dtype=np.int32)

    def spans(self, cell: str) -> tuple[str, list[Span]]:
        """Return the characters of a text but spaces, and those that each of its tokens covers."""
        return self.tokenizer.spans(tidy(cell, self.tokenizer.normalization), apart=True)

    def decode(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> str:
        """Return the text for token ids, on one line; end tokens are ignored.

        Args:
            token_ids: the ids; from `vocab_size` on, they are source indices.
            source: the pieces of the source.
        """
        pieces = self.pieces([id for id in token_ids if id != EOS_ID], source)
        return one_line(self.tokenizer.join(pieces[::-1] if self.tokenizer.reverse else pieces))

    def decode_with(
        self, token_ids: Sequence[int], replaced: Mapping[int, str], source: Sequence[str] = ()
    ) -> str:
        """Return the text for token ids, with other texts for the tokens at some indices."""
        others = {at: escape(text).replace(" ", SPACE) for at, text in replaced.items()}
        pieces = enumerate(self.pieces([*token_ids], source))
        kept = [others.get(at, piece) for at, piece in pieces if token_ids[at] != EOS_ID]
        return one_line(self.tokenizer.join(kept))

    def pieces(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the piece of each token; ▁ stands for a space."""
        size = self.tokenizer.vocab_size
        return tuple(
            source[id - size] if id >= size else self.tokenizer.piece(id)
            for id in map(int, token_ids)
        )

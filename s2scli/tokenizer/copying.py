"""Which tokens of a source can be copied to the target, and which ids stand for them.

Two tokens are the same if their pieces are spelled the same. A piece that its vocabulary lacks is
spelled as the text spells it, so that it can be copied although its id is the unknown one.

Ids of a source whose unknown pieces stay apart: below `vocab_size` a piece of the vocabulary; from
there on, the number of the unknown piece in its text, in the order in which they first occur. A
target that has a piece which only its source knows holds -1 - id, with the source's id.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.tokenizer.escaping import unescape
from s2scli.tokenizer.sentencepiece import SPACE, SentencePiece


@dataclass(frozen=True)
class Copier:
    """The tokenizers of both sides of a model that copies."""

    source: SentencePiece
    target: SentencePiece

    @functools.cached_property
    def target_ids(self) -> NDArray[np.int64]:
        """The target id of each source piece; -1 if the target vocabulary lacks it, [V source]."""
        return np.array([self._in_target.get(p, -1) for p in self.source.vocabulary], np.int64)

    @functools.cached_property
    def _in_target(self) -> dict[str, int]:
        return {piece: id for id, piece in enumerate(self.target.vocabulary)}

    def encode_sources(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of sources, where every unknown piece has an id of its own."""
        plain = self.source.encode_many(texts)
        return [
            [id for id, _ in self._spelled(text)] if UNK_ID in ids else ids
            for text, ids in zip(texts, plain, strict=True)
        ]

    def encode_targets(self, texts: Sequence[str], sources: Sequence[str]) -> list[list[int]]:
        """Return the ids of targets; an unknown piece that its source has is -1 - its id there."""
        plain = self.target.encode_many(texts)
        return [
            self._encode_target(text, source) if UNK_ID in ids else ids
            for text, source, ids in zip(texts, sources, plain, strict=True)
        ]

    def _encode_target(self, text: str, source: str) -> list[int]:
        there = {piece: -1 - id for id, piece in self._spelled(source)}
        return [
            there.get(piece, UNK_ID) if id == UNK_ID else id
            for id, piece in self.target.spelled(text)
        ]

    def unwrite(self, token_ids: Sequence[int], values: NDArray[np.int32]) -> list[int]:
        """Return the ids of a target as `encode_targets` gives them.

        Args:
            token_ids: ids that the model wrote; from `vocab_size` on, they are source indices.
            values: the ids of the source, without its end token.
        """
        size = self.target.vocab_size
        return [id if id < size else -1 - int(values[id - size]) for id in token_ids]

    def write(self, target_ids: Sequence[int], values: NDArray[np.int32]) -> list[int]:
        """Return the ids of a target as the model writes them; the inverse of `unwrite`."""
        size, ids = self.target.vocab_size, values.tolist()
        return [id if id >= 0 else size + ids.index(-1 - id) for id in target_ids]

    def source_pieces(self, text: str) -> list[str]:
        """Return the pieces of a source; those that are unknown as the text spells them."""
        return [piece for _, piece in self._spelled(text)]

    def surfaces(self, text: str) -> list[str]:
        """Return the text that each token of a source stands for; "" for a tag."""
        tags = set(self.source.tags.values())
        return [
            "" if id in tags else unescape(piece).replace(SPACE, " ")
            for id, piece in self._spelled(text)
        ]

    def _spelled(self, text: str) -> list[tuple[int, str]]:
        """Return the ids of a source with their pieces."""
        unknown: dict[str, int] = {}
        return [
            (self.source.vocab_size + unknown.setdefault(piece, len(unknown)), piece)
            if id == UNK_ID
            else (id, piece)
            for id, piece in self.source.spelled(text)
        ]

    def copies(self, values: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the target ids that copies of source tokens have.

        That is the id of the same piece in the target vocabulary. If it lacks the piece, it is the
        size of that vocabulary plus the index where the piece occurs first in this source.

        Args:
            values: the ids of a source, without its end token.

        Returns:
            The target ids, with that of the end token, [S].
        """
        ids = np.append(values, EOS_ID).astype(np.int64)
        size = len(self.target_ids)
        known = np.where(ids < size, self.target_ids[np.minimum(ids, size - 1)], -1)
        _, firsts, numbers = np.unique(ids, return_index=True, return_inverse=True)
        copied: NDArray[np.int64] = np.where(
            known >= 0, known, self.target.vocab_size + firsts[numbers]
        )
        return copied

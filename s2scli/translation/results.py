"""Translations as text."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.report.alignment import align_pieces, align_words, count_words
from s2scli.report.attention import AttentionMap
from s2scli.report.heads import AttentionHeads
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.translation.cues import Cue


@dataclass(frozen=True)
class TargetText:
    """One hypothesis as text.

    Attributes:
        text: the detokenised output on one line.
        score: the ranking score: the log-probability divided by the length penalty.
        pieces: the T target tokens, including the end token.
        token_scores: the log-probability of each token, [T].
        attention_blocks: the weights of each attention map over the source tokens, [T, A, S], in a
            block for each part of a line that was split; empty if the model has no attention, or if
            they were not requested.
        first_choices: for a scored target, whether each token was the most probable one, [T].
        unknown_tokens: the number of tokens that are the unknown token.
        p_copy: the probability of copying at each token, [T]; empty if the model does not copy, or
            if attention weights were not requested.
        copied_from: the index of the source token that each token was copied from, or None if the
            model wrote it itself, [T]; empty as `p_copy` is.
    """

    text: str
    score: float
    pieces: tuple[str, ...]
    token_scores: tuple[float, ...]
    attention_blocks: tuple[NDArray[np.float32], ...] = ()
    first_choices: tuple[bool, ...] = ()
    unknown_tokens: int = 0
    p_copy: tuple[float, ...] = ()
    copied_from: tuple[int | None, ...] = ()

    @property
    def attention(self) -> NDArray[np.float32] | None:
        """The blocks as one array [T, A, S], 0 between parts; None if there are none.

        Its size grows with the square of the number of parts, so it is for display only.
        """
        return _block_diagonal(self.attention_blocks) if self.attention_blocks else None


@dataclass(frozen=True)
class Translation:
    """A source with its hypotheses, best first.

    Attributes:
        source: the source as it was given.
        source_pieces: its S tokens, including the end token.
        hypotheses: `n_best` of them, or fewer if the search found fewer.
        unknown_tokens: the number of source tokens that are the unknown token.
        attention_shape: the numbers of layers and heads with attention maps, L x H = A.
        cues: for a recording, its parts with the text of the best hypothesis; empty for text and
            pictures.
        source_axis: what the source tokens of a recording count: seconds; empty for text and
            pictures.
        reading: the attention weights that alignments are read from.
        from_right: whether the model writes from right to left.
        has_words: whether the words of the source and the outputs are those of their tokens: not
            where tokens stand for protected texts, or parts were joined without a space.
    """

    source: str
    source_pieces: tuple[str, ...]
    hypotheses: tuple[TargetText, ...]
    unknown_tokens: int = 0
    attention_shape: tuple[int, int] = (1, 1)
    cues: tuple[Cue, ...] = ()
    source_axis: str = ""
    reading: Reading = BEST_HEADS
    from_right: bool = False
    has_words: bool = True

    def heads(self, hypothesis: TargetText) -> AttentionHeads | None:
        """Return the attention weights of a hypothesis by layer and head; None if it has none."""
        weights = hypothesis.attention
        if weights is None:
            return None
        return AttentionHeads(
            self.source_pieces,
            hypothesis.pieces,
            self._by_layer(weights),
            hypothesis.token_scores,
            self.source,
            hypothesis.text,
            self.source_axis,
            hypothesis.p_copy,
            hypothesis.copied_from,
            self.from_right,
        )

    def token_alignment(self, hypothesis: TargetText) -> list[tuple[int, int]] | None:
        """Return the source token that each token of a hypothesis is aligned to.

        Returns:
            Pairs (index of the source token, index of the target token), end tokens included;
            None if the hypothesis has no attention weights.
        """
        maps = self._maps(hypothesis)
        return _links(maps, align_pieces, len) if maps else None

    def word_alignment(
        self, hypothesis: TargetText, threshold: float | None = None
    ) -> list[tuple[int, int]] | None:
        """Return which source words the words of a hypothesis are aligned to.

        Words are separated by spaces.

        Args:
            hypothesis: one of the hypotheses.
            threshold: align all pairs of words with at least this attention weight; None aligns
                each target word to the source word with the largest weight.

        Returns:
            Pairs (index of the source word, index of the target word); None if the hypothesis has
            no attention weights, or if the words are not those of its tokens.
        """
        maps = self._maps(hypothesis) if self.has_words else []
        align = functools.partial(align_words, threshold=threshold)
        return _links(maps, align, count_words) if maps else None

    def _maps(self, hypothesis: TargetText) -> list[AttentionMap]:
        """Return the attention map of each part of the line, from which alignments are read."""
        maps = []
        row = column = 0
        for block in hypothesis.attention_blocks:
            rows, columns = row + block.shape[0], column + block.shape[2]
            heads = AttentionHeads(
                self.source_pieces[column:columns],
                hypothesis.pieces[row:rows],
                self._by_layer(block),
                from_right=self.from_right,
            )
            maps.append(self.reading.map(heads))
            row, column = rows, columns
        return maps

    def _by_layer(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return weights [T, A, S] by layer and head, [L, H, T, S]."""
        rows, _, columns = weights.shape
        return weights.reshape(rows, *self.attention_shape, columns).transpose(1, 2, 0, 3)


def _links(
    maps: Sequence[AttentionMap],
    align: Callable[[AttentionMap], list[tuple[int, int]]],
    count: Callable[[Sequence[str]], int],
) -> list[tuple[int, int]]:
    """Return the links of all parts of a line, with indices in the whole line.

    Args:
        maps: the attention map of each part.
        align: returns the links of a map.
        count: returns the number of linked things in some pieces.
    """
    links: list[tuple[int, int]] = []
    source = target = 0
    for one in maps:
        links += [(source + s, target + t) for s, t in align(one)]
        source, target = source + count(one.source_pieces), target + count(one.target_pieces)
    return links


def _block_diagonal(blocks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Place blocks [T, A, S] along the diagonal of T and S."""
    if len(blocks) == 1:
        return blocks[0]
    rows, maps, columns = np.sum([block.shape for block in blocks], axis=0)
    whole = np.zeros((rows, maps // len(blocks), columns), np.float32)
    row = column = 0
    for block in blocks:
        rows, _, columns = block.shape
        whole[row : row + rows, :, column : column + columns] = block
        row, column = row + rows, column + columns
    return whole

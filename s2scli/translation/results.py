"""Translations as text."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.report.alignment import align_pieces, align_words
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
        attention: the weights of each attention map over the source tokens, [T, A, S]; None if
            the model has no attention, or if they were not requested.
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
    attention: NDArray[np.float32] | None
    first_choices: tuple[bool, ...] = ()
    unknown_tokens: int = 0
    p_copy: tuple[float, ...] = ()
    copied_from: tuple[int | None, ...] = ()


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
        rows, _, columns = weights.shape
        by_layer = weights.reshape(rows, *self.attention_shape, columns).transpose(1, 2, 0, 3)
        return AttentionHeads(
            self.source_pieces,
            hypothesis.pieces,
            by_layer,  # [L, H, T, S]
            hypothesis.token_scores,
            self.source,
            hypothesis.text,
            self.source_axis,
            hypothesis.p_copy,
            hypothesis.copied_from,
            self.from_right,
        )

    def alignment_map(self, hypothesis: TargetText) -> AttentionMap | None:
        """Return the attention map that alignments are read from; None without attention."""
        heads = self.heads(hypothesis)
        return None if heads is None else self.reading.map(heads)

    def token_alignment(self, hypothesis: TargetText) -> list[tuple[int, int]] | None:
        """Return the source token that each token of a hypothesis is aligned to.

        Returns:
            Pairs (index of the source token, index of the target token), end tokens included;
            None if the hypothesis has no attention weights.
        """
        found = self.alignment_map(hypothesis)
        return None if found is None else align_pieces(found)

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
        found = self.alignment_map(hypothesis) if self.has_words else None
        return None if found is None else align_words(found, threshold)

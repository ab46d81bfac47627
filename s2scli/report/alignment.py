"""Word alignments: the source words that each target word looked at."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from s2scli.report.attention import END, WORD_BEGIN, AttentionMap
from s2scli.tags import tag_of

NO_WORD = -1


def word_indices(pieces: Sequence[str]) -> list[int]:
    """Return the index of the word of each piece; words are separated by spaces.

    A piece that is only ▁ belongs to the word after it, or to the last word if none follows. The
    index of an end token, and of a tag, is `NO_WORD`; a line that was split has an end token after
    each part.
    """
    indices, word, inside = [], -1, False
    for piece in pieces:
        if piece == END or tag_of(piece):
            indices.append(NO_WORD)
            inside = False
            continue
        first = None
        for character in piece:
            begins = character != WORD_BEGIN and not inside
            word, inside = word + begins, character != WORD_BEGIN
            first = word if first is None and inside else first
        indices.append(word + 1 if first is None else first)
    return [min(index, word) for index in indices]


def count_words(pieces: Sequence[str]) -> int:
    """Return the number of words; see `word_indices`."""
    return max(word_indices(pieces), default=NO_WORD) + 1


def shares_of(indices: Sequence[int]) -> NDArray[np.float64]:
    """Return the share of each piece that belongs to each word, [pieces, words].

    A piece with the index `NO_WORD` belongs to none.
    """
    shares: NDArray[np.float64] = np.eye(max(indices) + 2)[indices][:, :-1]
    return shares


def word_weights(
    weights: NDArray[np.float32], sources: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weight of each source word for each target word, [t, s + 1].

    Weights are summed over the pieces of a source word and averaged over those of a target word.
    The last column is the weight of the end tokens, which belong to no word.

    Args:
        weights: the weight of each source piece for each target piece, [T, S].
        sources: the share of each source piece that belongs to each word, [S, s].
        targets: the same of the target, [T, t].
    """
    nowhere = 1.0 - sources.sum(axis=1, keepdims=True)
    to_source = np.concatenate([sources, nowhere], axis=1)  # [S, s + 1]
    summed: NDArray[np.float64] = targets.T @ weights.astype(np.float64) @ to_source
    found: NDArray[np.float64] = summed / np.maximum(targets.sum(axis=0), 1e-9)[:, None]
    return found


def align_words(attention: AttentionMap, threshold: float | None = None) -> list[tuple[int, int]]:
    """Return the linked words as pairs (index of the source word, index of the target word).

    Args:
        attention: the map.
        threshold: link each pair with at least this weight; None links each target word to the
            source word with the largest weight, or to none if the end tokens have more.
    """
    sides = (attention.source_pieces, attention.target_pieces)
    shares = (shares_of(word_indices(pieces)) for pieces in sides)
    return link(word_weights(attention.weights, *shares), threshold)


def link(weights: NDArray[np.float64], threshold: float | None = None) -> list[tuple[int, int]]:
    """Return the linked words, given the `word_weights` [t, s + 1]; see `align_words`."""
    if threshold is None:
        nowhere = weights.shape[1] - 1
        best = np.where(weights.any(axis=1), weights.argmax(axis=1), nowhere)
        return [(int(source), target) for target, source in enumerate(best) if source < nowhere]
    linked = np.argwhere(weights[:, :-1] >= threshold)
    return [(int(source), int(target)) for target, source in linked]


def align_pieces(attention: AttentionMap) -> list[tuple[int, int]]:
    """Return a pair (index of the best source piece, target index) for each target piece.

    End tokens are included.
    """
    return [(int(source), target) for target, source in enumerate(attention.best)]


def pharaoh(pairs: Sequence[tuple[int, int]]) -> str:
    """Return pairs in the Pharaoh format of Moses, fast_align and Marian: `0-0 1-2`."""
    return " ".join(f"{source}-{target}" for source, target in pairs)

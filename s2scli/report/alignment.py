"""Word alignments: the source words that each target word looked at."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from s2scli.report.attention import END, WORD_BEGIN, AttentionMap

NO_WORD = -1


def word_indices(pieces: Sequence[str]) -> list[int]:
    """Return the index of the word of each piece; words are separated by spaces.

    A piece that is only ▁ belongs to the word after it, or to the last word if none follows. The
    index of an end token is `NO_WORD`; a line that was split has one after each part.
    """
    indices, word, inside = [], -1, False
    for piece in pieces:
        if piece == END:
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


def word_weights(attention: AttentionMap) -> NDArray[np.float64]:
    """Return the weight of each source word for each target word, [t, s + 1].

    Weights are summed over the pieces of a source word and averaged over those of a target word.
    The last column is the weight of the end tokens, which belong to no word.
    """
    sources, targets = map(word_indices, (attention.source_pieces, attention.target_pieces))
    count = max(sources) + 1
    to_source = np.eye(count + 1)[sources]  # [S, s + 1]; NO_WORD is the last column
    rows = np.eye(max(targets) + 2)[targets][:, :-1]  # [T, t]
    summed: NDArray[np.float64] = rows.T @ attention.weights.astype(np.float64) @ to_source
    weights: NDArray[np.float64] = summed / np.maximum(rows.sum(axis=0), 1.0)[:, None]
    return weights


def align_words(attention: AttentionMap, threshold: float | None = None) -> list[tuple[int, int]]:
    """Return the linked words as pairs (index of the source word, index of the target word).

    Args:
        attention: the map.
        threshold: link each pair with at least this weight; None links each target word to the
            source word with the largest weight, or to none if the end tokens have more.
    """
    weights = word_weights(attention)
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

"""Word alignments: which words of the input each word of the output was made from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from s2scli.report.attention import END, WORD_BEGIN, AttentionMap

NO_WORD = -1


def places_in_words(pieces: Sequence[str]) -> list[int]:
    """Return the number of the word, as spaces divide words, that each piece belongs to.

    A piece of nothing but ▁ belongs to the word that it begins, or, at the end, to the last one;
    an end token, which can stand between the parts of a line that was split, to `NO_WORD`.
    """
    places, word, inside = [], -1, False
    for piece in pieces:
        if piece == END:
            places.append(NO_WORD)
            inside = False
            continue
        first = None
        for character in piece:
            begins = character != WORD_BEGIN and not inside
            word, inside = word + begins, character != WORD_BEGIN
            first = word if first is None and inside else first
        places.append(word + 1 if first is None else first)
    return [min(place, word) for place in places]


def word_weights(attention: AttentionMap) -> NDArray[np.float64]:
    """Return how much each target word looked at each source word, and last at no word, [t, s + 1].

    Summed over the pieces of a source word and averaged over those of a target word.
    """
    sources, targets = map(places_in_words, (attention.source_pieces, attention.target_pieces))
    count = max(sources) + 1
    to_source = np.eye(count + 1)[sources]  # [S, s + 1]; NO_WORD is the last column
    rows = np.eye(max(targets) + 2)[targets][:, :-1]  # [T, t]
    summed: NDArray[np.float64] = rows.T @ attention.weights.astype(np.float64) @ to_source
    weights: NDArray[np.float64] = summed / np.maximum(rows.sum(axis=0), 1.0)[:, None]
    return weights


def align_words(attention: AttentionMap, threshold: float | None = None) -> list[tuple[int, int]]:
    """Return pairs of a source word and a target word, by the numbers they have in their lines.

    Args:
        attention: the map.
        threshold: link every pair of at least this weight; None links each target word to the
            source word it looked at most, if it did not look at the end token more.
    """
    weights = word_weights(attention)
    if threshold is None:
        nowhere = weights.shape[1] - 1
        best = np.where(weights.any(axis=1), weights.argmax(axis=1), nowhere)
        return [(int(source), target) for target, source in enumerate(best) if source < nowhere]
    linked = np.argwhere(weights[:, :-1] >= threshold)
    return [(int(source), int(target)) for target, source in linked]


def align_pieces(attention: AttentionMap) -> list[tuple[int, int]]:
    """Return each target piece with the source piece it looked at most, end tokens included."""
    return [(int(source), target) for target, source in enumerate(attention.best)]


def pharaoh(pairs: Sequence[tuple[int, int]]) -> str:
    """Return pairs as Pharaoh (and Moses, fast_align, Marian) writes them: `0-0 1-2`."""
    return " ".join(f"{source}-{target}" for source, target in pairs)

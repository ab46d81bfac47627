"""Which tokens of an output were copied from the source."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2scli.search.hypothesis import Hypothesis
from s2scli.translation.results import TargetText

HALF = 0.5


def with_copies(
    text: TargetText, found: Hypothesis, copies: NDArray[np.int64], num_heads: int, vocab_size: int
) -> TargetText:
    """Add to a hypothesis which source token each of its tokens was copied from.

    A token was copied if more than half of its probability comes from copying: the share is
    p_copy x (attention to its piece) / (probability of the token). Of several source tokens with
    its piece, the one attended to most was copied.

    Args:
        text: the hypothesis as text.
        found: the same with its T token ids.
        copies: the target id that a copy of each source token has, [S].
        num_heads: the number of heads of the last layer, whose mean copies.
        vocab_size: the size of the target vocabulary.
    """
    if found.attention_weights is None or not found.p_copy:
        return text
    weights = found.attention_weights[:, -num_heads:, : len(copies)].mean(1)  # [T, S]
    ids = np.array(found.token_ids)
    same = copies == ids[:, None]  # [T, S]
    shares = np.array(found.p_copy) * (weights * same).sum(1) / np.exp(found.token_scores)
    copied = same.any(1) & ((shares > HALF) | (ids >= vocab_size))
    best = np.where(same, weights, -1.0).argmax(1)
    indices = [int(index) if was else None for index, was in zip(best, copied, strict=True)]
    return replace(text, copied_from=tuple(indices))

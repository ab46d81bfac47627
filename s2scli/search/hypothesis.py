"""One output of the search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hypothesis:
    """A finished output.

    Attributes:
        token_ids: the T tokens, end token included; of a model that copies, an id from
            `vocab_size` on is a source index.
        score: the ranking score.
        token_scores: the log-probability of each token, [T].
        attention_weights: the weights of A attention maps, [T, A, S]; None if the model has no
            attention or the weights were not requested.
        first_choices: in forced decoding, whether each token is the most probable one, [T].
        token_spans: for each token but the end token, its first encoder state and the state after
            its last one; empty if they were not requested, or if the model has no CTC layer.
        p_copy: the probability of copying at each token, [T]; empty if the model does not copy, or
            if attention weights were not requested.
    """

    token_ids: tuple[int, ...]
    score: float
    token_scores: tuple[float, ...]
    attention_weights: NDArray[np.float32] | None
    first_choices: tuple[bool, ...] = ()
    token_spans: tuple[tuple[int, int], ...] = ()
    p_copy: tuple[float, ...] = ()

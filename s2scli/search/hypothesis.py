"""One output of the search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hypothesis:
    """A finished output.

    Attributes:
        token_ids: the T tokens, end token included.
        score: the ranking score.
        token_scores: the log-probability of each token, [T].
        attention_weights: the weights of A attention maps, [T, A, S]; None if the model has no
            attention or the weights were not requested.
        first_choices: in forced decoding, whether each token is the most probable one, [T].
        token_spans: for each token but the end token, its first encoder state and the state after
            its last one; empty if they were not requested, or if the model has no CTC layer.
    """

    token_ids: tuple[int, ...]
    score: float
    token_scores: tuple[float, ...]
    attention_weights: NDArray[np.float32] | None
    first_choices: tuple[bool, ...] = ()
    token_spans: tuple[tuple[int, int], ...] = ()

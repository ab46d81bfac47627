"""One output of the search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hypothesis:
    """A finished output.

    Attributes:
        token_ids: the tokens with the end token, T of them.
        score: the ranking score.
        token_scores: the log-probability of each token, [T].
        attention_weights: of each map, [T, A, S], or None where the model has none, or if they
            were not asked for.
        first_choices: in forced decoding whether each token was the most probable one, [T].
    """

    token_ids: tuple[int, ...]
    score: float
    token_scores: tuple[float, ...]
    attention_weights: NDArray[np.float32] | None
    first_choices: tuple[bool, ...] = ()

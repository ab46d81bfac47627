"""The description of a metric, from which flags, directions and digits follow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from s2scli.metrics.score import Score


class ForcedTarget(Protocol):
    """A reference as a model scores it, token by token, with the end token (T tokens)."""

    @property
    def token_scores(self) -> Sequence[float]:
        """The natural log-probability of each token, [T]."""
        ...

    @property
    def first_choices(self) -> Sequence[bool]:
        """Whether each token was the model's most probable one, [T]."""
        ...


@dataclass(frozen=True)
class Metric:
    """One way to score a test set.

    Attributes:
        name: as people write it, such as "exact match"; that of its scores.
        function: returns the score. With `needs="outputs"` it takes (hypotheses, references,
            settings), detokenised texts, one for one; with `needs="model"` it takes (forced,
            settings), a `ForcedTarget` for each reference. Settings are optional.
        higher_is_better: whether the higher of two scores is better.
        digits: decimals that its scores are shown with, everywhere.
        needs: "outputs" of a search, or the "model" itself, which scores the references.
        help: what it measures, one sentence.
    """

    name: str
    function: Callable[..., Score]
    higher_is_better: bool
    digits: int
    needs: Literal["outputs", "model"]
    help: str

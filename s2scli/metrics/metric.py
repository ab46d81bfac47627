"""The declaration of a metric; command-line flags are derived from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from s2scli.metrics.reference_rules import ReferenceRule, closest_rule
from s2scli.metrics.score import Score
from s2scli.metrics.settings import MetricSettings


class ForcedTarget(Protocol):
    """A reference scored by a model, token by token: T tokens, end token included."""

    @property
    def token_scores(self) -> Sequence[float]:
        """The natural log-probability of each token, [T]."""
        ...

    @property
    def first_choices(self) -> Sequence[bool]:
        """Whether each token is the model's most probable one, [T]."""
        ...

    @property
    def text(self) -> str:
        """The reference as text."""
        ...


@dataclass(frozen=True)
class Metric:
    """One way to score a test set.

    Attributes:
        name: the name shown to users, such as "exact match"; its scores have the same name.
        function: computes the score. With `needs="outputs"` it takes (hypotheses, references,
            settings), where the first two are detokenized texts of equal number; with
            `needs="model"` it takes (forced, settings), with one `ForcedTarget` per reference.
            Settings are optional.
        higher_is_better: whether the higher of two scores is better.
        digits: number of decimals to show.
        needs: "outputs" if it scores the outputs of a search, "model" if it needs the model's
            scores of the references.
        help: one sentence that says what it measures.
        references: returns the rule that chooses one of several references of an output.
    """

    name: str
    function: Callable[..., Score]
    higher_is_better: bool
    digits: int
    needs: Literal["outputs", "model"]
    help: str
    references: Callable[[MetricSettings], ReferenceRule] = closest_rule

"""What a metric returns, and what it is called with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from s2scli.metrics.settings import MetricSettings

DEFAULTS = MetricSettings()


@dataclass(frozen=True)
class Score:
    """One measurement of a whole test set.

    Attributes:
        name: the metric's name, as people write it.
        value: percent, except for perplexity.
        signature: everything that must be equal for two scores to be comparable.
        interval: the ends of the 95 % bootstrap interval, or None where none was asked for.
        resampled: the score of each resampled test set, to pair with another system's; the
            metrics of METRICS have them where an interval was asked for.
    """

    name: str
    value: float
    signature: str
    interval: tuple[float, float] | None = None
    resampled: tuple[float, ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document, without the resampled scores."""
        return {
            "name": self.name,
            "value": self.value,
            "signature": self.signature,
            "interval": self.interval,
        }


class Metric(Protocol):
    """A function that compares hypotheses with their references, one for one."""

    def __call__(
        self,
        hypotheses: Sequence[str],
        references: Sequence[str],
        settings: MetricSettings = DEFAULTS,
    ) -> Score:
        """Score `hypotheses` against `references`; both are detokenised text."""

"""The result of a metric."""

import math
from dataclasses import dataclass, field
from typing import Any

from s2scli.metrics.settings import MetricSettings

DEFAULTS = MetricSettings()


@dataclass(frozen=True)
class Score:
    """The score of a whole test set.

    Attributes:
        name: the metric's name (`Metric.name`).
        value: in percent, except for perplexity and nats.
        signature: everything that must be equal for two scores to be comparable.
        interval: the ends of the 95 % bootstrap interval; None without resamples.
        resampled: the score of each resampled test set, for paired comparison with another
            system; empty without resamples, and for perplexity and token accuracy.
    """

    name: str
    value: float
    signature: str
    interval: tuple[float, float] | None = None
    resampled: tuple[float, ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the score as a JSON document, without the resampled scores; infinity is null."""
        return {
            "name": self.name,
            "value": _finite(self.value),
            "signature": self.signature,
            "interval": self.interval and [_finite(end) for end in self.interval],
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

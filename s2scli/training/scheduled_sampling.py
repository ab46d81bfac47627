"""How often the decoder reads the truth while it learns, rather than its own guess.

The share is a pure function of the update, so that a resumed run goes on where it was.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from s2scli.settings import Settings, setting


class AlwaysTruthSettings(Settings):
    """Teacher forcing: the decoder reads the right tokens."""

    kind: Literal["none"] = setting("none", "Never: the decoder reads the right tokens.")

    def truth_share(self, step: int) -> float:
        """Return the share of right tokens among those read at update `step`."""
        return 1.0


class LinearSamplingSettings(Settings):
    """max(floor, start - slope x step) (Bengio et al. 2015, section 2.4)."""

    kind: Literal["linear"] = setting("linear", "The truth's share falls in a straight line.")
    start: float = setting(1.0, "Share of the truth at the beginning (k).", ge=0, le=1)
    slope: float = setting(0.0001, "What the share loses in an update (c).", ge=0)
    floor: float = setting(0.5, "The share stays at this (epsilon).", ge=0, le=1)

    def truth_share(self, step: int) -> float:
        """Return the share of right tokens among those read at update `step`."""
        return max(self.floor, self.start - self.slope * step)


class ExponentialSamplingSettings(Settings):
    """base ^ step (Bengio et al. 2015, section 2.4)."""

    kind: Literal["exponential"] = setting("exponential", "The truth's share falls by a factor.")
    base: float = setting(0.9999, "The share is multiplied by this in an update (k).", gt=0, lt=1)

    def truth_share(self, step: int) -> float:
        """Return the share of right tokens among those read at update `step`."""
        return self.base**step


class InverseSigmoidSamplingSettings(Settings):
    """k / (k + exp(step / k)) (Bengio et al. 2015, section 2.4)."""

    kind: Literal["inverse_sigmoid"] = setting(
        "inverse_sigmoid", "The truth's share falls late, and ever more slowly at the end."
    )
    k: float = setting(1000.0, "The share is 1/2 at update k ln k.", ge=1)

    def truth_share(self, step: int) -> float:
        """Return the share of right tokens among those read at update `step`."""
        return (1 + math.tanh((math.log(self.k) - step / self.k) / 2)) / 2  # never overflows


ScheduledSamplingSettings = Annotated[
    AlwaysTruthSettings
    | LinearSamplingSettings
    | ExponentialSamplingSettings
    | InverseSigmoidSamplingSettings,
    Field(discriminator="kind"),
]

"""How often the decoder reads the right token in training, rather than its own guess.

The share is a pure function of the update, so a resumed run needs no state.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from s2scli.settings import Settings, setting


class AlwaysTruthSettings(Settings):
    """Teacher forcing: the decoder reads the right tokens (Williams & Zipser 1989)."""

    kind: Literal["none"] = setting("none", "Teacher forcing: the decoder reads only right tokens.")

    def truth_share(self, step: int) -> float:
        """Return the share of right tokens among those read at update `step`."""
        return 1.0


class LinearSamplingSettings(Settings):
    """max(floor, start - slope x step) (Bengio et al. 2015, section 2.4)."""

    kind: Literal["linear"] = setting(
        "linear", "Linear decay of the share of right tokens (Bengio et al. 2015)."
    )
    start: float = setting(1.0, "Share of right tokens at the start (k).", ge=0, le=1)
    slope: float = setting(0.0001, "Decrease of the share per update (c).", ge=0)
    floor: float = setting(0.5, "Smallest share (epsilon).", ge=0, le=1)

    def truth_share(self, step: int) -> float:
        """Return the share of right tokens among those read at update `step`."""
        return max(self.floor, self.start - self.slope * step)


class ExponentialSamplingSettings(Settings):
    """base ^ step (Bengio et al. 2015, section 2.4)."""

    kind: Literal["exponential"] = setting(
        "exponential", "Exponential decay of the share of right tokens (Bengio et al. 2015)."
    )
    base: float = setting(0.9999, "Factor of the share per update (k).", gt=0, lt=1)

    def truth_share(self, step: int) -> float:
        """Return the share of right tokens among those read at update `step`."""
        return self.base**step


class InverseSigmoidSamplingSettings(Settings):
    """k / (k + exp(step / k)) (Bengio et al. 2015, section 2.4)."""

    kind: Literal["inverse_sigmoid"] = setting(
        "inverse_sigmoid",
        "Inverse sigmoid decay of the share of right tokens (Bengio et al. 2015).",
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

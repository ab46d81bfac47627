"""Scheduled sampling: how often the decoder reads the correct token, not its own prediction.

The share depends only on the step, so a resumed run needs no saved state.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from s2scli.settings import Settings, setting


class AlwaysTruthSettings(Settings):
    """Teacher forcing: the decoder reads only correct tokens (Williams & Zipser 1989)."""

    kind: Literal["none"] = setting("none", "Teacher forcing: only correct tokens.")

    def truth_share(self, step: int) -> float:
        """Return the share of correct tokens in the decoder's input at update `step`."""
        return 1.0


class LinearSamplingSettings(Settings):
    """Linear decay: max(floor, start - slope x step) (Bengio et al. 2015, section 2.4)."""

    kind: Literal["linear"] = setting(
        "linear", "Linear decay of the share of correct tokens (Bengio et al. 2015)."
    )
    start: float = setting(1.0, "Share of correct tokens at the start (k).", ge=0, le=1)
    slope: float = setting(0.0001, "Decrease of the share per update (c).", ge=0)
    floor: float = setting(0.5, "Smallest share (epsilon).", ge=0, le=1)

    def truth_share(self, step: int) -> float:
        """Return the share of correct tokens in the decoder's input at update `step`."""
        return max(self.floor, self.start - self.slope * step)


class ExponentialSamplingSettings(Settings):
    """Exponential decay: base ^ step (Bengio et al. 2015, section 2.4)."""

    kind: Literal["exponential"] = setting(
        "exponential", "Exponential decay of the share of correct tokens (Bengio et al. 2015)."
    )
    base: float = setting(
        0.9999, "Factor that multiplies the share at each update (k).", gt=0, lt=1
    )

    def truth_share(self, step: int) -> float:
        """Return the share of correct tokens in the decoder's input at update `step`."""
        return self.base**step


class InverseSigmoidSamplingSettings(Settings):
    """Inverse sigmoid decay: k / (k + exp(step / k)) (Bengio et al. 2015, section 2.4)."""

    kind: Literal["inverse_sigmoid"] = setting(
        "inverse_sigmoid",
        "Inverse sigmoid decay of the share of correct tokens (Bengio et al. 2015).",
    )
    k: float = setting(
        1000.0, "Larger values decay more slowly; the share is 1/2 at update k ln k.", ge=1
    )

    def truth_share(self, step: int) -> float:
        """Return the share of correct tokens in the decoder's input at update `step`."""
        return (1 + math.tanh((math.log(self.k) - step / self.k) / 2)) / 2  # never overflows


ScheduledSamplingSettings = Annotated[
    AlwaysTruthSettings
    | LinearSamplingSettings
    | ExponentialSamplingSettings
    | InverseSigmoidSamplingSettings,
    Field(discriminator="kind"),
]

"""KL annealing of a variational autoencoder: the weight of the KL term, and free bits.

The weight depends only on the step, so a resumed run needs no saved state.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from s2scli.settings import MOST, Settings, setting


class ConstantAnnealingSettings(Settings):
    """A constant weight: 1 gives the evidence lower bound, other values a beta-VAE."""

    kind: Literal["constant"] = setting("constant", "Constant weight.")
    beta: float = setting(
        1.0,
        "Weight of the KL term; 1 gives the evidence lower bound (Higgins et al. 2017, eq. 4).",
        ge=0,
    )

    def weight(self, step: int) -> float:
        """Return the weight at update `step` (the first is 1)."""
        return self.beta


class LinearAnnealingSettings(Settings):
    """A linear rise from 0 to 1, after an optional number of updates at 0."""

    kind: Literal["linear"] = setting("linear", "Linear rise from 0 to 1.")
    wait_steps: int = setting(
        0, "Updates before the weight starts to rise.", "updates", ge=0, le=MOST
    )
    grow_steps: int = setting(
        5000, "Updates over which the weight rises from 0 to 1.", "updates", ge=1, le=MOST
    )

    def weight(self, step: int) -> float:
        """Return the weight at update `step` (the first is 1)."""
        return min(1.0, max(0.0, (step - self.wait_steps) / self.grow_steps))


class LogisticAnnealingSettings(Settings):
    """A logistic curve from near 0 to near 1 (Bowman et al. 2016, section 3.1 and figure 2)."""

    kind: Literal["logistic"] = setting("logistic", "Logistic curve (Bowman et al. 2016).")
    middle_step: int = setting(
        2500, "The update at which the weight is 1/2.", "updates", ge=0, le=MOST
    )
    slope: float = setting(0.0025, "Steepness k of 1 / (1 + exp(-k (step - middle))).", gt=0)

    def weight(self, step: int) -> float:
        """Return the weight at update `step` (the first is 1)."""
        return (1 + math.tanh(self.slope * (step - self.middle_step) / 2)) / 2  # never overflows


class CyclicalAnnealingSettings(Settings):
    """Cycles of a linear rise from 0 to 1 and a phase at 1 (Fu et al. 2019)."""

    kind: Literal["cyclical"] = setting("cyclical", "Repeated linear rise (Fu et al. 2019).")
    cycles: int = setting(4, "Number of cycles (M).", ge=1, le=MOST)
    cycle_steps: int = setting(2500, "Updates per cycle (T / M).", "updates", ge=1, le=MOST)
    grow_share: float = setting(
        0.5, "Fraction of each cycle in which the weight rises to 1 (R).", gt=0, le=1
    )

    def weight(self, step: int) -> float:
        """Return the weight at update `step` (the first is 1): Fu et al. 2019, eq. 6 and 7.

        After the last cycle the weight stays at 1.
        """
        cycle, step_in_cycle = divmod(step - 1, self.cycle_steps)
        if cycle >= self.cycles:
            return 1.0
        return min(1.0, step_in_cycle / self.cycle_steps / self.grow_share)


AnnealingSettings = Annotated[
    ConstantAnnealingSettings
    | LinearAnnealingSettings
    | LogisticAnnealingSettings
    | CyclicalAnnealingSettings,
    Field(discriminator="kind"),
]


class KLSettings(Settings):
    """The KL term of the objective; used only with a latent connection."""

    free_bits: float = setting(
        0.0,
        "Free bits: the mean KL of a latent unit is not penalized below this value (Kingma et al. "
        "2016, eq. 15).",
        "nats",
        ge=0,
    )
    annealing: AnnealingSettings = ConstantAnnealingSettings()

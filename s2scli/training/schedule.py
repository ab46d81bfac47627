"""Learning-rate schedules, as pure functions of the update and of the validation scores."""

import math
from dataclasses import dataclass
from typing import Literal

from s2scli.settings import Settings, setting


@dataclass(frozen=True)
class PlateauState:
    """What a schedule remembers of the validations: its scale, and how long nothing improved."""

    scale: float = 1.0
    waited: int = 0


class ConstantSettings(Settings):
    """The same learning rate throughout, after a linear warm-up."""

    kind: Literal["constant"] = setting("constant", "The same rate throughout.")
    warmup_steps: int = setting(0, "Updates over which the rate grows from 0.", "updates", ge=0)

    def factor(self, step: int) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1)."""
        return warmup(step, self.warmup_steps)

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Validation changes nothing."""
        return state


class InverseSqrtSettings(Settings):
    """Linear warm-up, then proportional to 1 / sqrt(step) (Vaswani et al. 2017, eq. 3)."""

    kind: Literal["inverse_sqrt"] = setting("inverse_sqrt", "1 / sqrt(step) after a warm-up.")
    warmup_steps: int = setting(
        500, "Updates over which the rate grows to its full value.", "updates", ge=1
    )

    def factor(self, step: int) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1)."""
        return min(step / self.warmup_steps, math.sqrt(self.warmup_steps / step))

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Validation changes nothing."""
        return state


class CosineSettings(Settings):
    """Linear warm-up, then half a cosine down to `floor` (Loshchilov & Hutter 2017, eq. 5)."""

    kind: Literal["cosine"] = setting("cosine", "Half a cosine after a warm-up.")
    warmup_steps: int = setting(500, "Updates over which the rate grows from 0.", "updates", ge=0)
    total_steps: int = setting(
        10_000,
        "The update at which the floor is reached: as many as are to be made (max_steps).",
        "updates",
        ge=1,
    )
    floor: float = setting(0.05, "Share of the rate that stays at the end.", ge=0, le=1)

    def factor(self, step: int) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1)."""
        if step <= self.warmup_steps:
            return warmup(step, self.warmup_steps)
        span = max(1, self.total_steps - self.warmup_steps)
        done = min(1.0, (step - self.warmup_steps) / span)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Validation changes nothing."""
        return state


class PlateauSettings(Settings):
    """The rate is multiplied by `decay` each time the validation score stops improving."""

    kind: Literal["plateau"] = setting("plateau", "Falls when validation stops improving.")
    warmup_steps: int = setting(0, "Updates over which the rate grows from 0.", "updates", ge=0)
    decay: float = setting(0.5, "Multiplier of the rate at a plateau.", gt=0, lt=1)
    patience: int = setting(1, "Validations without a better score before.", "validations", ge=1)

    def factor(self, step: int) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1)."""
        return warmup(step, self.warmup_steps)

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Count a validation; lower the scale when `patience` of them brought nothing."""
        if improved:
            return PlateauState(state.scale, 0)
        if state.waited + 1 < self.patience:
            return PlateauState(state.scale, state.waited + 1)
        return PlateauState(state.scale * self.decay, 0)


def warmup(step: int, steps: int) -> float:
    """Return the factor of a linear warm-up over `steps` updates."""
    return min(1.0, step / steps) if steps else 1.0

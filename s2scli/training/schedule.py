"""Learning-rate schedules, which depend on the step, the time and the validation scores."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from s2scli.settings import MOST, Settings, setting


@dataclass(frozen=True)
class PlateauState:
    """The state of a schedule: its factor, and validations since it last improved or decayed."""

    scale: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 1.0
    waited: Annotated[int, Field(strict=True, ge=0)] = 0


class ConstantSettings(Settings):
    """A constant learning rate after a linear warm-up."""

    kind: Literal["constant"] = setting("constant", "Constant rate.")
    warmup_steps: int = setting(
        0, "Updates over which the rate rises from 0.", "updates", ge=0, le=MOST
    )

    def factor(self, step: int, used: float = 0.0) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1)."""
        return warmup(step, self.warmup_steps)

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Return the state unchanged."""
        return state


class InverseSqrtSettings(Settings):
    """Linear warm-up, then proportional to 1 / sqrt(step) (Vaswani et al. 2017, eq. 3)."""

    kind: Literal["inverse_sqrt"] = setting(
        "inverse_sqrt", "Proportional to 1 / sqrt(step) after a warm-up."
    )
    warmup_steps: int = setting(
        500, "Updates over which the rate rises to its full value.", "updates", ge=1, le=MOST
    )

    def factor(self, step: int, used: float = 0.0) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1)."""
        return min(step / self.warmup_steps, math.sqrt(self.warmup_steps / step))

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Return the state unchanged."""
        return state


class CosineSettings(Settings):
    """Linear warm-up, then half a cosine down to `floor` (Loshchilov & Hutter 2017, eq. 5)."""

    kind: Literal["cosine"] = setting("cosine", "Half a cosine after a warm-up.")
    warmup_steps: int = setting(
        500, "Updates over which the rate rises from 0.", "updates", ge=0, le=MOST
    )
    total_steps: int = setting(
        10_000,
        "Update at which the floor is reached; set it to max_steps.",
        "updates",
        ge=1,
        le=MOST,
    )
    in_time: bool = setting(
        False, "Reach the floor within max_minutes too, even if fewer updates were made."
    )
    floor: float = setting(0.05, "Final rate, as a share of the full rate.", ge=0, le=1)

    def factor(self, step: int, used: float = 0.0) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1).

        With `in_time`, if the share of the time is larger than that of the updates, the rate falls
        to that of the later update which has this share.

        Args:
            step: the number of the update.
            used: the share of `max_minutes` that has passed; 0 without this limit.
        """
        position = max(step, self.total_steps * used) if self.in_time else step
        span = max(1, self.total_steps - self.warmup_steps)
        done = min(1.0, max(0.0, (position - self.warmup_steps) / span))
        fallen = self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2
        return min(warmup(step, self.warmup_steps), fallen)

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Return the state unchanged."""
        return state


class PlateauSettings(Settings):
    """Multiply the rate by `decay` each time the validation score stops improving."""

    kind: Literal["plateau"] = setting(
        "plateau", "Decay when the validation score stops improving."
    )
    warmup_steps: int = setting(
        0, "Updates over which the rate rises from 0.", "updates", ge=0, le=MOST
    )
    decay: float = setting(0.5, "Factor that multiplies the rate at each plateau.", gt=0, lt=1)
    patience: int = setting(
        1,
        "Validations without a better score before the rate decays.",
        "validations",
        ge=1,
        le=MOST,
    )

    def factor(self, step: int, used: float = 0.0) -> float:
        """Return the multiplier of the learning rate at update `step` (the first is 1)."""
        return warmup(step, self.warmup_steps)

    def after_validation(self, state: PlateauState, *, improved: bool) -> PlateauState:
        """Count a validation; lower the rate after `patience` of them without improvement."""
        if improved:
            return PlateauState(state.scale, 0)
        if state.waited + 1 < self.patience:
            return PlateauState(state.scale, state.waited + 1)
        return PlateauState(state.scale * self.decay, 0)


def warmup(step: int, steps: int) -> float:
    """Return the factor of a linear warm-up over `steps` updates."""
    return min(1.0, step / steps) if steps else 1.0

"""A reference as a model may have scored it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Forced:
    """`metrics.metric.ForcedTarget` with what a test needs of it."""

    token_scores: Sequence[float] = ()
    first_choices: Sequence[bool] = ()
    text: str = ""

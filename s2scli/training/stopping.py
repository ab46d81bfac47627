"""Compare validation scores, and decide when a run ends."""

import math
from dataclasses import dataclass

from s2scli.training.events import Finished
from s2scli.training.progress import Progress
from s2scli.training.settings import LimitSettings

Ranking = tuple[tuple[int, float], ...]  # (step, score), best first


@dataclass(frozen=True)
class Criterion:
    """The validation score that selects the best checkpoint and that patience watches.

    Attributes:
        name: the name of the score.
        higher_is_better: whether the higher of two scores is better.
    """

    name: str
    higher_is_better: bool

    def is_better(self, score: float, best: float | None) -> bool:
        """Return whether `score` is better than `best`; any finite score is better than None."""
        if best is None:
            return math.isfinite(score)
        return score > best if self.higher_is_better else score < best

    def rank(self, ranking: Ranking, step: int, score: float, size: int) -> Ranking:
        """Add a validation to the ranking, and return the `size` best; ties go to the earlier step.

        Args:
            ranking: the steps and scores of the best validations so far, best first.
            step: the step of the new validation.
            score: the score of the new validation.
            size: how many to keep.
        """
        sign = -1 if self.higher_is_better else 1
        ranked = sorted((*ranking, (step, score)), key=lambda each: (sign * each[1], each[0]))
        return tuple(ranked[:size])


def ending(progress: Progress, limits: LimitSettings, signal: int) -> Finished | None:
    """Return the event that ends the run, or None if the run continues.

    Args:
        progress: the counters of the run.
        limits: the limits of the run.
        signal: the signal that asks for a stop, or 0.
    """
    step = progress.step
    if signal:
        return Finished(step, "stopped by a signal", signal)
    for name, used in (
        ("max_steps", step),
        ("max_epochs", progress.epoch),
        ("max_minutes", progress.seconds / 60),
    ):
        limit = getattr(limits, name)
        if limit is not None and used >= limit:
            return Finished(step, f"{name} {limit:.10g} reached", limit=name)
    if limits.patience and progress.bad_validations >= limits.patience:
        reason = f"no better score in {limits.patience} validations"
        return Finished(step, reason, limit="patience")
    return None

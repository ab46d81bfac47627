"""Judge from the validations of a run whether more training is likely to help."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from s2scli.training.stopping import Criterion

LAST_SHARE = 0.25  # the last quarter of the updates decides the trend
RECENT = 3  # improving: the best score is in the last 3 validations
MIN_GAIN = 0.01  # improving: smallest gain, as a share of the total gain
RISE, RISE_SHARE = 0.01, 0.02  # overfitting: in nats, and as a share of the minimum

Trend = Literal["improving", "flat", "overfitting", "unknown"]


@dataclass(frozen=True)
class Outlook:
    """Whether more training is likely to help.

    Attributes:
        trend: the trend at the end of the run.
        sentence: the trend with its numbers, and what to do.
    """

    trend: Trend
    sentence: str


def judge(validations: Mapping[int, Mapping[str, float]], criterion: Criterion) -> Outlook:
    """Judge whether a run is improving, flat or overfitting at its last validation.

    A run with a perfect score is flat. A run is improving if its best score is one of the last
    three, and the last quarter of the updates contributed at least 1 % of the total gain. Otherwise
    it is overfitting if the cross-entropy of the last two validations is clearly above the minimum,
    and flat if not. The score at step 0 counts only for the total gain. The trend is unknown if
    there is no validation before the last quarter.

    Args:
        validations: the scores of each validation, by step and in order.
        criterion: the score that selects the best checkpoint.
    """
    name = criterion.name
    scores = _finite({step: each.get(name, math.nan) for step, each in validations.items()})
    gained_from = next(iter(scores.values()), 0.0)
    scores.pop(0, None)
    last = max(scores, default=0)
    earlier = {step: v for step, v in scores.items() if step <= (1 - LAST_SHARE) * last}
    if not earlier:
        return Outlook("unknown", "too early to say whether more training helps")
    choose = max if criterion.higher_is_better else min
    before, best = choose(earlier.values()), choose(scores.values())
    best_step = next(step for step, score in scores.items() if score == best)
    if best == (100 if criterion.higher_is_better else 0):
        return Outlook("flat", f"flat: {name} has been perfect since step {best_step}")
    gained = abs(best - gained_from)
    recent = best_step in list(scores)[-RECENT:]
    if recent and criterion.is_better(best, before) and abs(best - before) >= MIN_GAIN * gained:
        moved = "rose" if criterion.higher_is_better else "fell"
        return Outlook(
            "improving",
            f"still improving: {name} {moved} from {before:.3g} to {best:.3g} in the last quarter "
            "of the updates; more training is likely to help",
        )
    return _overfitting(validations, name) or Outlook(
        "flat",
        f"flat: {name} gained little or nothing in the last quarter of the updates (best "
        f"{best:.3g}, at step {best_step}); more training is unlikely to help, but more "
        "data or a larger model may",
    )


def _overfitting(validations: Mapping[int, Mapping[str, float]], name: str) -> Outlook | None:
    """Return the outlook of an overfitting run, or None if the run does not overfit."""
    losses = _finite({step: _cross_entropy(each) for step, each in validations.items() if step})
    if len(losses) < 2:
        return None
    lowest = min(losses, key=losses.__getitem__)
    low, now = losses[lowest], min(list(losses.values())[-2:])
    if now <= low * (1 + RISE_SHARE) + RISE:
        return None
    also = "" if name in ("loss", "perplexity") else f" and {name} no longer improves"
    return Outlook(
        "overfitting",
        f"overfitting: the validation cross-entropy rose from {low:.3g} (step {lowest}) to "
        f"{now:.3g}{also}; more training will not help, but more data, more dropout or a smaller "
        "model may",
    )


def _cross_entropy(scores: Mapping[str, float]) -> float:
    """Return the cross-entropy per token; without a perplexity, the loss; without either, NaN."""
    perplexity = scores.get("perplexity", math.nan)
    return math.log(perplexity) if perplexity > 0 else scores.get("loss", math.nan)


def _finite(values: Mapping[int, float]) -> dict[int, float]:
    return {step: value for step, value in values.items() if math.isfinite(value)}

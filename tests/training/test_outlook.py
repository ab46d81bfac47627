"""Whether more training is worth it, on histories made by hand."""

import math
from collections.abc import Mapping, Sequence

import pytest

from s2scli.training.outlook import Trend, judge
from s2scli.training.stopping import Criterion

CHRF, LOSS = Criterion("chrf", higher_is_better=True), Criterion("loss", higher_is_better=False)


def history(chrf: Sequence[float], losses: Sequence[float] = ()) -> dict[int, dict[str, float]]:
    """Return validations every 100 updates, from step 0."""
    losses = losses or [2.0] * len(chrf)
    return {
        100 * number: {"chrf": score, "loss": loss + 1, "perplexity": math.exp(loss)}
        for number, (score, loss) in enumerate(zip(chrf, losses, strict=True))
    }


@pytest.mark.parametrize(
    ("chrf", "losses", "trend"),
    [
        ([3, 30, 43, 48, 49], [], "improving"),
        ([7.4, 1.8, 2.8, 3.5], [], "improving"),
        ([3, 30, 43, 48, 48.2], [], "flat"),
        ([3, 30, 43, 48, 47, 47.5, 47], [], "flat"),
        ([3, 3, 3, 3], [], "flat"),
        ([3, 50, 90, 96, 100], [], "flat"),
        ([3, 30, 40, 41, 40, 40, 40], [7, 3, 2, 1.9, 2.0, 2.2, 2.3], "overfitting"),
        ([3, 30, 40, 41, 42, 43, 44], [7, 3, 2, 1.9, 2.0, 2.2, 2.3], "improving"),
        ([3, 30, 40, 41, 40, 40, 40], [7, 3, 2, 1.9, 1.9, 1.91, 1.92], "flat"),
        ([3, 30, 40, 41, 40, 40, 40], [7, 3, 2, 1.9, 1.9, 1.9, 2.4], "flat"),
        ([3, 30], [], "unknown"),
        ([3], [], "unknown"),
        ([], [], "unknown"),
        ([math.nan, math.nan], [math.nan, math.nan], "unknown"),
    ],
)
def test_the_trend(chrf: Sequence[float], losses: Sequence[float], trend: Trend) -> None:
    assert judge(history(chrf, losses), CHRF).trend == trend


def test_a_best_score_that_is_not_recent_is_no_improvement() -> None:
    late = [3.0, *[30.0] * 15, 40, *[39.0] * 4]
    assert judge(history(late), CHRF).trend == "flat"


def test_nothing_is_better_than_perfect() -> None:
    perfect = "flat: chrf has been perfect since step 400"
    assert judge(history([3, 50, 90, 96, 100, 100]), CHRF).sentence == perfect


def test_a_loss_improves_downwards() -> None:
    down: Mapping[int, Mapping[str, float]] = {s: {"loss": 9 / (s + 1)} for s in range(9)}
    assert judge(down, LOSS).trend == "improving"
    up = {step: {"loss": 2 + abs(step - 4) / 10} for step in range(9)}
    assert judge(up, LOSS).trend == "overfitting"


def test_the_sentence_has_the_numbers_and_what_to_do() -> None:
    assert judge(history([3, 30, 43, 48, 49]), CHRF).sentence == (
        "still improving: chrf rose from 48 to 49 in the last quarter of the updates; "
        "more training is likely to help"
    )
    assert "at step 300); more training is unlikely to help" in (
        judge(history([3, 30, 43, 48, 47, 47.5, 47]), CHRF).sentence
    )
    overfits = judge(history([3, 40, 41, 40, 40], [7, 1.9, 2.0, 2.2, 2.3]), CHRF)
    assert overfits.sentence.startswith(
        "overfitting: the validation cross-entropy rose from 1.9 (step 100) to 2.2 and chrf no "
        "longer improves; "
    )
    assert "too early to say" in judge({}, CHRF).sentence

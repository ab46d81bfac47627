"""Better means strictly better; a run ends at the first limit it reaches."""

import math

import pytest

from s2scli.training.events import Finished
from s2scli.training.progress import Progress
from s2scli.training.settings import LimitSettings
from s2scli.training.stopping import Criterion, Ranking, ending

BLEU, LOSS = Criterion("bleu", higher_is_better=True), Criterion("loss", higher_is_better=False)


@pytest.mark.parametrize(
    ("criterion", "score", "best", "better"),
    [
        (BLEU, 0.0, None, True),
        (BLEU, 2.0, 1.0, True),
        (BLEU, 1.0, 1.0, False),
        (BLEU, math.nan, None, False),
        (BLEU, math.nan, 1.0, False),
        (LOSS, math.inf, None, False),
        (LOSS, 1.0, 2.0, True),
        (LOSS, 2.0, 2.0, False),
        (LOSS, 3.0, 2.0, False),
        (LOSS, math.nan, 2.0, False),
    ],
)
def test_better_is_strictly_better(
    criterion: Criterion, score: float, best: float | None, better: bool
) -> None:
    assert criterion.is_better(score, best) is better


def test_the_ranking_keeps_the_best_and_of_equals_the_first() -> None:
    ranking: Ranking = ()
    for step, score in ((1, 5.0), (2, 7.0), (3, 7.0), (4, 1.0), (5, 6.0)):
        ranking = BLEU.rank(ranking, step, score, 3)
    assert ranking == ((2, 7.0), (3, 7.0), (5, 6.0))
    assert LOSS.rank(ranking, 6, 6.5, 2) == ((5, 6.0), (6, 6.5))
    assert LOSS.rank((), 6, 6.5, 0) == ()


NO_LIMITS = LimitSettings(patience=0)


@pytest.mark.parametrize(
    ("limits", "limit", "reason"),
    [
        (LimitSettings(max_steps=8), "max_steps", "max_steps 8 reached"),
        (LimitSettings(max_epochs=2), "max_epochs", "max_epochs 2 reached"),
        (LimitSettings(max_minutes=2.5), "max_minutes", "max_minutes 2.5 reached"),
        (LimitSettings(patience=3), "patience", "no better score in 3 validations"),
    ],
)
def test_a_limit_ends_a_run_when_it_is_reached(
    limits: LimitSettings, limit: str, reason: str
) -> None:
    there = Progress(step=8, epoch=2, seconds=150.0, bad_validations=3)
    before = Progress(step=7, epoch=1, seconds=149.0, bad_validations=2)
    assert ending(there, limits, 0) == Finished(8, reason, limit=limit)
    assert ending(before, limits, 0) is None
    assert ending(there, NO_LIMITS, 0) is None


def test_a_signal_comes_before_every_limit() -> None:
    at_its_limit = ending(Progress(step=8), LimitSettings(max_steps=8), 15)
    assert at_its_limit == Finished(8, "stopped by a signal", 15)

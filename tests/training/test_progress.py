"""Counters survive JSON exactly, and better means strictly better."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.training.progress import Progress, is_better
from s2scli.training.schedule import PlateauState

counts = st.integers(0, 2**53)
times = st.floats(0, 1e12)


@given(
    st.builds(
        Progress,
        step=counts,
        validated=st.integers(-1, 100),
        seconds=times,
        best_score=st.none() | st.floats(-1e9, 1e9),
        plateau=st.builds(PlateauState, times, counts),
        logged_loss=times,
        logged_seconds=times,
    )
)
def test_json_gives_the_same_counters(progress: Progress) -> None:
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


def test_a_run_of_before_scheduled_scores_goes_on_with_its_best() -> None:
    tree = Progress(best_score=2.5).to_json()
    del tree["best_scheduled"]
    assert Progress.from_json(tree).best_scheduled == 2.5


@pytest.mark.parametrize("tree", [{}, {"step": "many"}, {"plateau": 3}, {"plateau": {"scale": []}}])
def test_what_are_no_counters_is_refused(tree: dict[str, object]) -> None:
    if not tree:
        assert Progress.from_json(tree) == Progress()
        return
    with pytest.raises(ValueError, match="validation error"):
        Progress.from_json(tree)


@pytest.mark.parametrize(
    ("metric", "score", "best", "better"),
    [
        ("bleu", 0.0, None, True),
        ("bleu", 2.0, 1.0, True),
        ("bleu", 1.0, 1.0, False),
        ("bleu", math.nan, None, False),
        ("bleu", math.nan, 1.0, False),
        ("loss", math.inf, None, False),
        ("loss", 1.0, 2.0, True),
        ("loss", 2.0, 2.0, False),
        ("perplexity", 3.0, 2.0, False),
        ("ter", 50.0, 60.0, True),
        ("loss", math.nan, 2.0, False),
    ],
)
def test_better_is_strictly_better(
    metric: str, score: float, best: float | None, better: bool
) -> None:
    assert is_better(metric, score, best) is better

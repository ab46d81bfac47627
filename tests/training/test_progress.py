"""Counters survive JSON exactly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.training.progress import Progress
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
    with pytest.raises(ValueError, match=r"^(step|plateau|plateau.scale): input should be"):
        Progress.from_json(tree)


def test_the_best_steps_are_those_of_the_ranking_and_the_best_one() -> None:
    assert Progress(best_step=2, ranking=((3, 7.0), (5, 6.0))).best_steps == {2, 3, 5}


def test_the_steps_to_roll_back_to_are_kept_too() -> None:
    assert Progress(best_step=2, saved=9, safe=7).kept_steps == {2, 7, 9}

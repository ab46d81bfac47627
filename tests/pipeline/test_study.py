"""A study: each trial has one owner, killed trials are resumed, the worst are pruned."""

import builtins
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from s2scli.config import CRITERIA
from s2scli.errors import CheckpointError, ConfigError, MissingExtraError, StorageError
from s2scli.pipeline.space import Parameter, Value, near, rounded
from s2scli.pipeline.study import (
    DATABASE,
    MAX_STARTS,
    MIN_COMPARED,
    PARENTS,
    RANDOM_TRIALS,
    UNPRUNED_SLICES,
    PrunedError,
    Study,
    Trial,
    Watch,
    require_optuna,
)
from s2scli.training.events import Step, Validation

SPACE = {
    "x": Parameter(settings=("training.label_smoothing",), low=0.0, high=0.9),
    "width": Parameter(settings=("model.encoder.model_dim",), low=8, high=512, log=True),
    "kind": Parameter(settings=("model.encoder.kind",), choices=("gru", "lstm")),
}
OWN: dict[str, Value] = {"x": 0.1, "width": 32, "kind": "gru"}
TERMS = {"corpus": "abc", "budget": {"max_steps": 4}}
MOST = 12

pytestmark = pytest.mark.usefixtures("quick_fsync", "quick_commits")


def open_study(folder: Path, *, metric: str = "chrf") -> Study:
    require_optuna()
    study = Study(folder, SPACE, CRITERIA[metric])
    study.create(TERMS, OWN)
    return study


def claimed(study: Study, most: int = MOST) -> Trial:
    trial = study.claim(most)
    assert trial is not None
    return trial


def test_the_first_trial_has_the_own_values(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    trials = [claimed(study), claimed(study)]
    assert trials[0].values == OWN
    assert trials[1].values != OWN


def test_every_second_trial_is_near_the_best(tmp_path: Path) -> None:
    study, followed = open_study(tmp_path), 0
    for number in range(12):
        best = [each.values for each in study.outcomes()][:PARENTS]
        trial = claimed(study)
        expected = near(SPACE, best, np.random.default_rng(number)) if number % 2 else {}
        if expected and expected != best[0]:  # equal values would be tried twice
            followed += 1
            assert trial.values == {name: rounded(value) for name, value in expected.items()}
        study.finish(trial, 5.0 if number == 4 else 1.0 + number / 100, 1.0, 4)
    assert followed >= 4


def test_a_study_has_so_many_trials_whoever_asks(tmp_path: Path) -> None:
    studies = [open_study(tmp_path) for _ in range(2)]
    trials = [claimed(studies[number % 2], 5) for number in range(5)]
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]
    assert len({str(trial.values) for trial in trials}) == 5
    assert studies[0].claim(5) is None
    assert claimed(studies[1], 6).number == 5


def test_values_do_not_depend_on_who_draws_them(tmp_path: Path) -> None:
    def values(folder: Path, *, anew: bool) -> list[Any]:
        study, found = open_study(folder), []
        for number in range(RANDOM_TRIALS + 2):
            study = open_study(folder) if anew else study
            trial = claimed(study)
            study.finish(trial, float(number), 1.0, 4)
            found.append(trial.values)
        return found

    assert values(tmp_path / "a", anew=False) == values(tmp_path / "b", anew=True)


def test_a_killed_trial_is_resumed_with_its_values(tmp_path: Path) -> None:
    first = claimed(open_study(tmp_path))
    other = open_study(tmp_path)
    assert claimed(other).number == 1  # the first is alive
    first.lock.release()  # as the system does when its process ends
    again = claimed(other)
    assert (again.number, again.values, again.starts) == (first.number, first.values, 2)


def test_a_trial_that_is_killed_too_often_has_failed(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    for start in range(1, MAX_STARTS + 1):
        trial = claimed(study)
        assert (trial.number, trial.starts) == (0, start)
        trial.lock.release()
    assert claimed(study).number == 1
    failed = next(each for each in study.outcomes() if each.number == 0)
    assert failed.state == "failed" and failed.error == f"killed {MAX_STARTS} times"


@pytest.mark.parametrize(("metric", "order"), [("chrf", [2, 1, 0]), ("loss", [0, 1, 2])])
def test_outcomes_are_ranked(metric: str, order: list[int], tmp_path: Path) -> None:
    study = open_study(tmp_path, metric=metric)
    for score in (1.0, 2.0, 3.0):
        study.finish(claimed(study), score, 0.5, 7)
    study.fail(claimed(study), "does not fit")
    study.finish(claimed(study), float("nan"), 0.5, 7)
    found = study.outcomes()
    assert [each.number for each in found] == [*order, 3, 4]
    assert [each.state for each in found] == ["complete"] * 3 + ["failed"] * 2
    assert (found[0].minutes, found[0].step) == (0.5, 7)
    assert [each.error for each in found[3:]] == ["does not fit", "the score is nan"]


def test_a_trial_below_the_median_is_pruned(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    for _ in range(MIN_COMPARED):
        trial = claimed(study)
        trial.report(10.0, 0.55)
        study.finish(trial, 10.0, 1.0, 4)
    trial = claimed(study)
    trial.report(1.0, (UNPRUNED_SLICES - 1) / 10)  # too early to say
    with pytest.raises(PrunedError):
        trial.report(1.0, 0.55)
    study.prune(trial, 0.5, 2)
    assert study.outcomes()[-1].state == "pruned"
    good = claimed(study)
    good.report(11.0, 0.55)


def test_the_last_score_before_counts_where_a_trial_has_none(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    for score in (1.0, 2.0, 9.0, 9.0, 9.0):  # scores at half of the budget
        trial = claimed(study)
        trial.report(score, 0.5)
        study.finish(trial, 10.0, 1.0, 4)
    trial = claimed(study)
    trial.report(9.5, 0.7)  # nobody else has a score at this point
    with pytest.raises(PrunedError):
        trial.report(8.0, 0.8)
    study.prune(trial, 0.8, 3)
    last = claimed(study)
    last.report(9.0, 0.9)  # equal to the median, without the trial that did not come so far


def test_without_a_score_a_trial_is_the_worst(tmp_path: Path) -> None:
    study = open_study(tmp_path, metric="loss")
    for _ in range(MIN_COMPARED):
        study.finish(claimed(study), 3.0, 1.0, 4)  # validated at its end only
    trial = claimed(study)
    trial.report(99.0, 0.5)


def test_a_watch_reports_the_best_score_so_far(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    trial = claimed(study)
    watch = Watch(trial, lambda step, epoch, seconds: step / 100)
    watch(Step(1, 0.0, 1.0))
    watch(Validation(0, 0.0, 1.0, {"chrf": 99.0}, True))  # before training: not counted
    for step, score in ((20, 3.0), (40, 2.0), (60, 4.0)):
        watch(Validation(step, 0.0, 60.0, {"chrf": score}, True))
    assert (watch.best, watch.step, watch.minutes) == (4.0, 60, 1.0)
    reported = study._study.trials[0].intermediate_values
    assert reported == {2: 3.0, 4: 3.0, 6: 4.0}


@pytest.mark.parametrize(("metric", "best"), [("chrf", 3.0), ("loss", 2.0)])
def test_a_resumed_trial_keeps_its_best_score(tmp_path: Path, metric: str, best: float) -> None:
    study = open_study(tmp_path, metric=metric)
    trial = claimed(study)
    assert study.best_score(trial.number) is None
    trial.report(3.0, 0.2)
    trial.report(2.0, 0.4)
    assert open_study(tmp_path, metric=metric).best_score(trial.number) == best


def test_the_last_validation_in_a_tenth_of_the_budget_counts(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    trial = claimed(study)
    for score, used in ((3.0, 0.41), (7.0, 0.44), (9.0, 0.48)):
        trial.report(score, used)
    assert study.best_score(trial.number) == 9.0
    study.prune(trial, 1.0, 2)
    assert [each.score for each in study.outcomes()] == [9.0]


def test_the_parameter_that_decides_is_the_important_one(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    for _ in range(RANDOM_TRIALS - 1):
        trial = claimed(study, 30)
        study.finish(trial, float(trial.values["x"]), 1.0, 4)
    assert study.importances() == {}  # too few trials
    for _ in range(10):
        trial = claimed(study, 30)
        study.finish(trial, float(trial.values["x"]), 1.0, 4)
    found = study.importances()
    assert sum(found.values()) == pytest.approx(1)
    assert next(iter(found)) == "x"


def test_a_study_of_other_terms_is_refused(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    study.create(TERMS, OWN)
    with pytest.raises(ConfigError, match=r"has another corpus; .*--restart"):
        Study(tmp_path, SPACE, study.criterion).create({**TERMS, "corpus": "x"}, OWN)


@pytest.mark.parametrize("count", range(len(TERMS) + 1))
def test_a_study_whose_creation_was_cut_short_is_created_again(count: int, tmp_path: Path) -> None:
    require_optuna()
    study = Study(tmp_path, SPACE, CRITERIA["chrf"])
    for name in [*TERMS][:count]:  # no trial was added before the process was killed
        study._study.set_user_attr(name, TERMS[name])
    again = open_study(tmp_path)
    assert claimed(again).values == OWN
    again.create(TERMS, OWN)


def test_a_damaged_study_is_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"not a database" * 100)
    with pytest.raises(CheckpointError, match=r"study.db: damaged .*--restart"):
        open_study(tmp_path)


def test_a_study_that_cannot_be_written_is_a_failure_of_storage(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    trial = claimed(study)

    def refuse(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    storage: Any = study._study._storage
    event.listen(storage._backend.engine, "checkout", refuse)
    writes: list[Callable[[], object]] = [partial(trial.record, starts=2), partial(study.claim, 9)]
    for write in writes:
        with pytest.raises(StorageError, match=r"study\.db: attempt to write a read"):
            write()


def test_a_study_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir()
    with pytest.raises(CheckpointError, match="not a regular file"):
        open_study(tmp_path)


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c%20#d"
    open_study(folder)
    assert (folder / DATABASE).is_file()


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *others: Any) -> Any:
        if name == "optuna":
            raise ImportError
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[tune\]'"):
        require_optuna()

"""The study of `s2s tune`: an Optuna study in SQLite, on which several processes may work.

A trial belongs to the process that holds its file lock, which the operating system releases when
the process ends. So a trial that is unfinished and unlocked was killed, and is resumed.
"""

import contextlib
import math
import statistics
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from filelock import FileLock, Timeout

from s2scli.errors import CheckpointError, ConfigError, MissingExtraError, StorageError
from s2scli.files import FILES, storage_errors
from s2scli.pipeline.space import Parameter, Space, Value, Values, near, used
from s2scli.training.events import Event, Validation
from s2scli.training.stopping import Criterion

if TYPE_CHECKING:
    import optuna

DATABASE, NAME = "study.db", "tune"
OWN = "own"  # marks the trial with the recipe's own values
BEST = "best"  # the best score so far; Optuna keeps only the first score of a tenth of the budget
MAX_STARTS = 3
SLICES = 10  # trials are compared at every tenth of the budget
UNPRUNED_SLICES, MIN_COMPARED = 4, 4
PARENTS = 3
RANDOM_TRIALS = 8
LOCK_SECONDS = 60


class PrunedError(Exception):
    """The trial is worse than the median of the others after the same share of the budget."""


def require_optuna() -> None:
    """Check that Optuna is installed, and silence its log.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("Optuna is not installed: pip install 's2scli[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Outcome:
    """One trial.

    Attributes:
        number: its number, from 0.
        state: running, waiting, complete, pruned or failed.
        score: the best validation score; None without one.
        values: the values of its parameters.
        minutes: the training time.
        step: the number of updates.
        error: why it failed.
    """

    number: int
    state: str
    score: float | None
    values: Values
    minutes: float | None = None
    step: int | None = None
    error: str = ""


def trial_name(number: int) -> str:
    """Return the name of a trial's run."""
    return f"trial-{number:04d}"


@dataclass(frozen=True)
class Study:
    """The trials in a folder.

    Attributes:
        folder: the folder of the study.
        space: the parameters.
        criterion: the validation score to improve.
    """

    folder: Path
    space: Space
    criterion: Criterion

    def create(self, terms: Mapping[str, Any], own: Values | None) -> None:
        """Create the study, or check that it was created with the same terms.

        A study without trials is created again: a process may have been killed while it did so.

        Args:
            terms: what its scores depend on, by name, as JSON values.
            own: the values of the first trial, or None.

        Raises:
            ConfigError: the study exists and has other terms.
            CheckpointError: the study is damaged.
            StorageError: writing failed.
        """
        with storage_errors(self.folder):
            FILES.make_folder(self.folder)
        with self.locked():
            found = self._study.user_attrs
            different = [name for name in terms if found.get(name) != terms[name]]
            if not self._study.trials:
                for name, term in terms.items():
                    self._study.set_user_attr(name, term)
                if own is not None:
                    self._study.enqueue_trial(dict(own), {OWN: True})
            elif different:
                raise ConfigError(
                    f"{self.folder}: this study has another {' and '.join(different)}; continue "
                    "it with the same options, or start again with --restart"
                )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the study against the other processes that work on it.

        Raises:
            CheckpointError: the study is damaged.
            StorageError: the disk is full, or another process holds the lock for too long.
        """
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        path = self.folder / DATABASE
        try:
            with self._lock:
                yield
        except Timeout as error:
            raise StorageError(f"{path}: locked by another process") from error
        except StorageInternalError as error:  # Optuna's word for any error of SQLAlchemy
            raise _fault(path, error.__cause__ or error) from error
        except (SQLAlchemyError, RuntimeError) as error:
            raise _fault(path, error) from error

    @cached_property
    def _lock(self) -> FileLock:  # one object, so that locking twice is no deadlock
        return FileLock(self.folder / ".lock", timeout=LOCK_SECONDS)

    def __reduce__(self) -> tuple[type["Study"], tuple[Path, Space, Criterion]]:
        """Pickle the study without its connection, for another process."""
        return Study, (self.folder, self.space, self.criterion)

    @cached_property
    def _study(self) -> "optuna.Study":
        import optuna
        from sqlalchemy.engine import URL

        path = self.folder / DATABASE
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: not a regular file; start again with --restart")
        url = URL.create("sqlite", database=str(path)).render_as_string()
        waiting = {"connect_args": {"timeout": LOCK_SECONDS}}
        return optuna.create_study(
            storage=optuna.storages.RDBStorage(url, engine_kwargs=waiting),
            study_name=NAME,
            direction="maximize" if self.criterion.higher_is_better else "minimize",
            load_if_exists=True,
        )

    def claim(self, most: int) -> "Trial | None":
        """Return a killed trial or a new one, for this process alone; None if there is neither.

        A trial that was killed `MAX_STARTS` times has failed.

        Args:
            most: the number of trials of the whole study.
        """
        import optuna

        states = optuna.trial.TrialState
        with self.locked():
            for frozen in self._study.get_trials(states=[states.RUNNING]):
                lock = FileLock(self._lock_path(frozen.number))
                with contextlib.suppress(Timeout):
                    lock.acquire(blocking=False)
                    trial = self._open(optuna.trial.Trial(self._study, frozen._trial_id), lock)
                    if trial.starts <= MAX_STARTS:
                        return trial
                    self._fail(trial, f"killed {MAX_STARTS} times")
            started = sum(each.state != states.WAITING for each in self._study.trials)
            if started >= most:
                return None
            self._suggest_near(started)
            # one seed for each trial, so that processes do not draw the same values
            self._study.sampler = optuna.samplers.TPESampler(
                seed=started, n_startup_trials=RANDOM_TRIALS, constant_liar=True
            )
            asked = self._study.ask()
            lock = FileLock(self._lock_path(asked.number))
            lock.acquire()
            return self._open(asked, lock)

    def _suggest_near(self, number: int) -> None:
        """Every second trial searches near the best ones so far, often the recipe's own values."""
        best = [each.values for each in self.outcomes() if each.state == "complete"][:PARENTS]
        if number % 2 and best:
            values = near(self.space, best, np.random.default_rng(number))
            if values != best[0]:
                self._study.enqueue_trial(values)

    def _open(self, trial: "optuna.Trial", lock: FileLock) -> "Trial":
        starts = trial.user_attrs.get("starts", 0) + 1
        trial.set_user_attr("starts", starts)
        drawn = {name: _suggest(trial, name, each) for name, each in self.space.items()}
        values = _used(self.space, drawn, trial.user_attrs)
        return Trial(self, trial, values, starts, lock)

    def _lock_path(self, number: int) -> Path:
        return self.folder / f".{trial_name(number)}.lock"

    def finish(self, trial: "Trial", score: float, minutes: float, step: int) -> None:
        """Record the result of a trial that used its whole budget."""
        if not math.isfinite(score):
            self.fail(trial, f"the score is {score}")
            return
        with self.locked():
            trial.record(minutes=minutes, step=step)
            self._study.tell(trial.number, score)
            self._release(trial)

    def prune(self, trial: "Trial", minutes: float, step: int) -> None:
        """Record that a trial was pruned."""
        import optuna

        with self.locked():
            trial.record(minutes=minutes, step=step)
            self._study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)
            self._release(trial)

    def fail(self, trial: "Trial", error: str) -> None:
        """Record that a trial failed."""
        with self.locked():
            self._fail(trial, error)

    def _fail(self, trial: "Trial", error: str) -> None:
        import optuna

        trial.record(error=error)
        self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        self._release(trial)

    def _release(self, trial: "Trial") -> None:
        trial.lock.release()
        self._lock_path(trial.number).unlink(missing_ok=True)

    def outcomes(self) -> list[Outcome]:
        """Return all trials: the complete ones first, best first; then the others, by score."""
        with self.locked():
            trials = [_outcome(self.space, trial) for trial in self._study.get_trials()]
        sign = -1 if self.criterion.higher_is_better else 1
        return sorted(
            trials,
            key=lambda each: (
                each.state != "complete",
                math.inf if each.score is None else sign * each.score,
                each.number,
            ),
        )

    def is_worse_than_most(self, number: int, score: float, part: int) -> bool:
        """Return whether a trial is worse than the median of the others at the same point.

        A trial validates at some points only; the best of its scores before a point counts there.

        Args:
            number: the number of the trial.
            score: its best score so far.
            part: the tenths of the budget that are used.
        """
        best, worst = (max, -math.inf) if self.criterion.higher_is_better else (min, math.inf)
        others = [
            best((one for at, one in each.intermediate_values.items() if at <= part), default=worst)
            for each in self._study.get_trials(deepcopy=False)
            if each.number != number and _has_used(each, part)
        ]
        enough = len(others) >= MIN_COMPARED
        return enough and self.criterion.is_better(statistics.median(others), score)

    def best_score(self, number: int) -> float | None:
        """Return the best score that a trial has reported so far; None before the first."""
        with self.locked():
            trial = self._study.get_trials(deepcopy=False)[number]
        reported = [*trial.intermediate_values.values(), trial.user_attrs.get(BEST)]
        best = max if self.criterion.higher_is_better else min
        return best((score for score in reported if score is not None), default=None)

    def importances(self) -> dict[str, float]:
        """Return each parameter's importance for a score in the best tenth; they sum to 1.

        PED-ANOVA (Watanabe, Bansal & Hutter 2023, IJCAI). Empty with fewer than `RANDOM_TRIALS`
        complete trials.
        """
        import optuna

        if sum(each.state == "complete" for each in self.outcomes()) < RANDOM_TRIALS:
            return {}
        with self.locked(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return optuna.importance.get_param_importances(self._study)
            except (ValueError, RuntimeError):  # all trials have the same score
                return {}


@dataclass
class Trial:
    """A trial that this process works on.

    Attributes:
        study: its study.
        trial: Optuna's trial.
        values: the values of its parameters.
        starts: how often it was started or resumed.
        lock: held until the trial is finished.
    """

    study: Study
    trial: "optuna.Trial"
    values: Values
    starts: int
    lock: FileLock

    @property
    def number(self) -> int:
        """Its number in the study, from 0."""
        return self.trial.number

    def record(self, **facts: Value) -> None:
        """Save facts about the trial."""
        with self.study.locked():
            for name, value in facts.items():
                self.trial.set_user_attr(name, value)

    def report(self, score: float, used: float) -> None:
        """Report a validation score.

        Args:
            score: the best score so far.
            used: the share of the budget that is used.

        Raises:
            PrunedError: it is worse than the median of the other trials.
        """
        number = int(SLICES * used)
        with self.study.locked(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna ignores further scores of a tenth
            self.record(**{BEST: score})
            self.trial.report(score, number)
            compared = UNPRUNED_SLICES <= number < SLICES
            if compared and self.study.is_worse_than_most(self.number, score, number):
                raise PrunedError


@dataclass
class Watch:
    """Reports the validations of a trial's run.

    Attributes:
        trial: the trial.
        share: returns the share of the budget used, from the step, the epoch and the seconds.
        minutes: the training time so far.
        step: the number of updates so far.
        best: the best score so far.
    """

    trial: Trial
    share: Any
    minutes: float = 0.0
    step: int = 0
    best: float | None = None

    def __call__(self, event: Event) -> None:
        """Report a validation.

        Raises:
            PrunedError: the trial is worse than the median of the others.
        """
        if not isinstance(event, Validation) or not event.step:
            return
        criterion = self.trial.study.criterion
        self.minutes, self.step = event.seconds / 60, event.step
        score = event.scores[criterion.name]
        if criterion.is_better(score, self.best):
            self.best = score
        if self.best is not None:
            used = self.share(event.step, event.epoch, event.seconds)
            self.trial.report(self.best, used)


def _fault(path: Path, error: BaseException) -> StorageError | CheckpointError:
    """Return what is wrong with the database: it cannot be read or written, or it is damaged."""
    from sqlalchemy.exc import OperationalError

    cause = getattr(error, "orig", error)
    if isinstance(error, OperationalError):
        return StorageError(f"{path}: {cause!s:.200}")
    return CheckpointError(f"{path}: damaged ({cause!s:.100}); start again with --restart")


def _suggest(trial: "optuna.Trial", name: str, parameter: Parameter) -> Value:
    """Draw the value of a parameter; one that is drawn already stays the same."""
    if parameter.low is None or parameter.high is None:
        return cast(Value, trial.suggest_categorical(name, parameter.choices))
    if parameter.is_whole:
        low, high = int(parameter.low), int(parameter.high)
        return trial.suggest_int(name, low, high, log=parameter.log)
    return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)


def _used(space: Space, values: Values, attributes: Mapping[str, Any]) -> Values:
    """Return the values that a trial trains with: drawn ones are rounded, the recipe's are not."""
    return values if attributes.get(OWN) else used(space, values)


def _has_used(trial: "optuna.trial.FrozenTrial", part: int) -> bool:
    """Return whether a trial got as far as this tenth of the budget."""
    return trial.state.name == "COMPLETE" or max(trial.intermediate_values, default=-1) >= part


def _outcome(space: Space, trial: "optuna.trial.FrozenTrial") -> Outcome:
    state = trial.state.name.lower().replace("fail", "failed")
    known = trial.user_attrs
    return Outcome(
        trial.number,
        state,
        known.get(BEST, trial.value) if state == "pruned" else trial.value,
        _used(space, trial.params, known),
        known.get("minutes"),
        known.get("step"),
        known.get("error", ""),
    )

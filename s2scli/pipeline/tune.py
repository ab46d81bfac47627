"""`s2s tune`: train a recipe with many settings, and write the recipe with the best of them."""

import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from s2scli.config import DEFAULT_RECIPE, Recipe, change_recipe, load_recipe, recipe_toml
from s2scli.data.codecs import source_codec
from s2scli.data.encoded import open_encoded
from s2scli.data.store import Corpus
from s2scli.errors import LockedError, S2SError, StorageError, UsageError
from s2scli.files import remove_folder, write_file
from s2scli.model.seq2seq import pick_device
from s2scli.pipeline.compare import BUDGETS
from s2scli.pipeline.overwriting import require_new_study
from s2scli.pipeline.space import Space, assignments, own_values, read_space, space_of
from s2scli.pipeline.study import (
    Outcome,
    PrunedError,
    Study,
    Trial,
    Watch,
    require_optuna,
    trial_name,
)
from s2scli.pipeline.train import TrainRequest, default_size, train
from s2scli.pipeline.train_tokenizer import ensure_encoded, ensure_tokenizer
from s2scli.pipeline.validation import open_validation
from s2scli.report.console import Talk
from s2scli.report.progress import Goal
from s2scli.settings import Tree, flag_of
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Event
from s2scli.training.interruption import stop_requests
from s2scli.workspace import Workspace

BEST = "best.toml"
GROUP = "tune"
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class TuneRequest:
    """The options of `s2s tune`.

    Attributes:
        trials: the number of trials of the whole study.
        limits: the budget of each trial (at least one of BUDGETS) and its patience, by name.
        recipe: a built-in recipe's name or a TOML file.
        assignments: `section.key=value` changes to the recipe.
        space: a TOML file of parameters; None derives them from the recipe.
        processes: the number of processes that run trials.
        device: auto, cpu, cuda or cuda:N.
        restart: remove the existing study and start again.
        overwrite: remove it without asking.
    """

    trials: int
    limits: Tree
    recipe: str = DEFAULT_RECIPE
    assignments: Sequence[str] = ()
    space: Path | None = None
    processes: int = 1
    device: str = "auto"
    restart: bool = False
    overwrite: bool = False

    @property
    def budget(self) -> Tree:
        """All limits; one that was not given is None, even if the recipe sets it."""
        return {**dict.fromkeys(BUDGETS), **self.limits}


@dataclass(frozen=True)
class Job:
    """What a process that runs trials needs.

    Attributes:
        workspace: the workspace.
        request: the options.
        recipe: the recipe, resolved for the corpus.
        study: the trials.
        threads: the number of threads of a process.
    """

    workspace: Workspace
    request: TuneRequest
    recipe: Recipe
    study: Study
    threads: int

    @property
    def best_recipe(self) -> Path:
        """The file of the best recipe."""
        return self.study.folder / BEST


@dataclass(frozen=True)
class Tuning:
    """The result of a study.

    Attributes:
        metric: the validation score.
        trials: the trials, best first.
        importances: how much each parameter matters, as shares; empty if there are too few trials.
        recipe: the file of the best recipe; "" if no trial is complete.
        model: the model folder of the best trial; "" if no trial is complete.
        signal: the signal that stopped the study; 0 if none did.
    """

    metric: str
    trials: Sequence[Outcome]
    importances: Mapping[str, float] = field(default_factory=dict)
    recipe: str = ""
    model: str = ""
    signal: int = 0


def find_space(workspace: Workspace, request: TuneRequest, talk: Talk) -> tuple[Recipe, Space]:
    """Return the recipe of a study, resolved for the corpus, and its space.

    Without a tokenizer, one is trained first. The caller must lock the workspace.

    Raises:
        MissingInputError: the corpus, its validation split, the recipe or the space is missing.
        ConfigError: the recipe or the space is wrong.
        CorpusError, TokenizerError, CheckpointError: see `train`.
    """
    corpus = Corpus.load(workspace.find_corpus())
    open_validation(corpus)
    recipe = load_recipe(request.recipe, request.assignments, default_size(corpus), corpus.sides)
    tokenizers = ensure_tokenizer(workspace, corpus, talk)
    ensure_encoded(workspace, corpus, tokenizers, talk, recipe.copier(tokenizers)).wait()
    if request.space:
        return recipe, read_space(request.space, recipe)
    small = _is_small(workspace, corpus, tokenizers, recipe)
    return recipe, space_of(recipe, small_corpus=small, text=corpus.sides.source is None)


def _is_small(workspace: Workspace, corpus: Corpus, tokenizers: Tokenizers, recipe: Recipe) -> bool:
    """Return whether `training.min_batches` makes the batches smaller."""
    codec = source_codec(tokenizers.source, recipe.copier(tokenizers))
    split = open_encoded(workspace.encoded, "train", corpus, codec)
    batches = TrainingBatches(split, recipe.training, mixture=corpus.mixture)
    return batches.batch_tokens < recipe.training.batch_tokens


def plan(workspace: Workspace, request: TuneRequest, talk: Talk) -> Space:
    """Return the space that `tune` would search.

    Raises:
        LockedError: another process uses the workspace.
        S2SError: see `find_space`.
    """
    if not workspace.root.exists():  # locking would create it
        workspace.find_corpus()
    with workspace.locked("tune"):
        return find_space(workspace, request, talk)[1]


def tune(workspace: Workspace, request: TuneRequest, talk: Talk) -> Tuning:
    """Run trials until the study has `request.trials`; go on where an earlier call stopped.

    The trials have runs of their own; the workspace's run and model stay as they are.

    Raises:
        UsageError: no budget is given.
        MissingExtraError: Optuna is not installed.
        ConfigError: the recipe, the space or the device is wrong, or the study has other terms.
        MissingInputError, CorpusError, TokenizerError: see `find_space`.
        LockedError: another process uses the workspace, or the user did not agree to a restart.
        CheckpointError: the corpus or the study is damaged.
        StorageError: the disk is full or writing failed.
    """
    require_optuna()
    pick_device(request.device)
    if all(request.budget[name] is None for name in BUDGETS):
        raise UsageError(
            f"no budget for a trial: give one or more of {', '.join(map(flag_of, BUDGETS))}"
        )
    if request.restart and not request.overwrite:
        require_new_study(workspace, talk)
    if not workspace.root.exists():  # locking would create it
        workspace.find_corpus()
    with workspace.locked("tune"):
        recipe, space = find_space(workspace, request, talk)
        if request.restart and workspace.tuning.exists():
            remove_folder(workspace.tuning)
        job = _open_job(workspace, request, recipe, space)
        talk.say(
            f"tuning {', '.join(space)} of recipe {recipe.name} by validation "
            f"{recipe.criterion.name}; up to {request.trials} trials in {workspace.tuning}"
        )
        stopped = _in_processes(job, talk) if request.processes > 1 else _work(job, talk)
        _keep_best(job)
    return _result(job, stopped)


def _open_job(workspace: Workspace, request: TuneRequest, recipe: Recipe, space: Space) -> "Job":
    """Create the study, or continue the one that is there."""
    corpus = Corpus.load(workspace.corpus)
    study = Study(workspace.tuning, space, recipe.criterion)
    terms: dict[str, Any] = {
        "corpus": corpus.digest,
        "tokenizer": Tokenizers.load(workspace.tokenizer).digest,
        "recipe": recipe.model_dump(mode="json"),
        "budget": request.budget,
        "space": {name: parameter.model_dump(mode="json") for name, parameter in space.items()},
    }
    study.create(terms, own_values(space, recipe))
    threads = max(1, torch.get_num_threads() // request.processes)
    return Job(workspace, request, recipe, study, threads)


def _work(job: Job, talk: Talk, parent: int = 0) -> int:
    """Run trials until there are enough; return the signal that stopped this, or 0.

    Args:
        job: the study and how to run a trial.
        talk: says what comes of each trial.
        parent: the process without which this one stops; 0 is none.
    """
    with stop_requests(lambda number: None) as stop:
        while not stop.signal and (trial := job.study.claim(job.request.trials)):
            if stopped := _run_trial(job, trial, talk, parent):
                return stopped
            _keep_best(job)
    return stop.signal


def _run_trial(job: Job, trial: Trial, talk: Talk, parent: int) -> int:
    """Train with the values of a trial and record the result; return the signal that stopped it.

    A trial stopped by a signal stays unfinished, to be resumed.
    """
    study, name = job.study, f"trial {trial.number}"
    changes = assignments(study.space, trial.values)
    values = ", ".join(f"{key} {value}" for key, value in trial.values.items())
    talk.say(f"{name}{' (resumed)' * (trial.starts > 1)}: {values}")
    limits = job.request.budget
    goal = Goal(*(limits[name] for name in ("max_steps", "max_epochs", "max_minutes")))
    watch = Watch(trial, goal.share, best=study.best_score(trial.number))

    def follow(event: Event) -> None:
        if parent and os.getppid() != parent:
            raise SystemExit(128 + signal.SIGTERM)
        watch(event)

    request = TrainRequest(
        job.request.recipe,
        [*job.request.assignments, *changes],
        limits,
        job.request.device,
        watch=follow,
    )
    run = job.workspace.of_run(trial_name(trial.number), GROUP)
    try:
        report = train(run, request, Talk(quiet=not talk.verbose, verbose=talk.verbose))
    except PrunedError:
        study.prune(trial, watch.minutes, watch.step)
        talk.say(f"{name}: pruned after {watch.minutes:.1f} minutes, {_scored(job, watch.best)}")
        return 0
    except (LockedError, StorageError):  # not caused by the values
        raise
    except S2SError as error:
        study.fail(trial, str(error))
        talk.warn(f"{name}: {error}")
        return 0
    if report.signal:
        trial.record(starts=trial.starts - 1)  # it was stopped, not killed
        return report.signal
    score = report.best.get(study.criterion.name, float("nan"))
    study.finish(trial, score, report.minutes, report.step)
    talk.say(f"{name}: {_scored(job, score)} after {report.minutes:.1f} minutes")
    return 0


def _scored(job: Job, score: float | None) -> str:
    return f"{job.study.criterion.name} {'unknown' if score is None else f'{score:.4g}'}"


def _keep_best(job: Job) -> None:
    """Write the recipe of the best trial, and remove the runs of the other finished trials."""
    study = job.study
    with study.locked():
        finished = [each for each in study.outcomes() if each.state not in ("running", "waiting")]
        best = finished[0] if finished and finished[0].state == "complete" else None
        for outcome in finished:
            run = job.workspace.of_run(trial_name(outcome.number), GROUP)
            if outcome is not best and run.home.exists():
                remove_folder(run.home)
        if best:
            changes = assignments(study.space, best.values)
            tree = job.recipe.model_dump(mode="json") | {"name": Path(BEST).stem}
            recipe = change_recipe(tree, [*job.request.assignments, *changes], BEST)
            write_file(job.best_recipe, recipe_toml(recipe).encode())


def _result(job: Job, stopped: int) -> Tuning:
    trials, metric = job.study.outcomes(), job.study.criterion.name
    if not trials or trials[0].state != "complete":
        return Tuning(metric, trials, signal=stopped)
    model = job.workspace.of_run(trial_name(trials[0].number), GROUP).model
    importances = job.study.importances()
    return Tuning(metric, trials, importances, str(job.best_recipe), str(model), stopped)


def _in_processes(job: Job, talk: Talk) -> int:
    """Run the trials in several processes; return the signal that stopped them, or 0.

    A process that is killed is replaced, and the new one resumes its trial.

    Raises:
        S2SError: a process failed; it has said why.
    """
    context = multiprocessing.get_context("spawn")

    def start() -> BaseProcess:
        arguments = (job, talk.quiet, talk.verbose, os.getpid())
        process = context.Process(target=_worker, args=arguments)
        process.start()
        return process

    running, failed, told = [start() for _ in range(job.request.processes)], False, False
    with stop_requests(lambda number: talk.say("stopping after this update")) as stop:
        try:
            while running:
                wait([process.sentinel for process in running], POLL_SECONDS)
                for process in [each for each in running if not each.is_alive()]:
                    running.remove(process)
                    killed = (process.exitcode or 0) < 0
                    failed = failed or (process.exitcode or 0) > 0
                    if killed and not stop.signal:
                        talk.warn(f"process {process.pid} was killed; starting another")
                        running.append(start())
                if stop.signal and not told:
                    told = True
                    for process in running:
                        os.kill(process.pid or 0, stop.signal)
        finally:
            for process in running:
                process.kill()
    if failed and not stop.signal:
        raise S2SError("a process of this study failed; its message is above")
    return stop.signal


def _worker(job: Job, quiet: bool, verbose: bool, parent: int) -> None:
    """Run trials in a process of its own, which gets the terminal's signals from its parent."""
    if hasattr(os, "setsid"):
        os.setsid()
    require_optuna()
    torch.set_num_threads(job.threads)
    talk = Talk(quiet=quiet, verbose=verbose, interactive=False)
    try:
        stopped = _work(job, talk, parent)
    except S2SError as error:
        talk.warn(str(error))
        raise SystemExit(error.exit_status) from error
    raise SystemExit(128 + stopped if stopped else 0)

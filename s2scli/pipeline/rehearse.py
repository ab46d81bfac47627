"""`s2s train --rehearse`: live the whole life of a run in a minute, and predict what it needs."""

import gc
import math
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from s2scli.config import Recipe
from s2scli.data.batch import Batch, make_batch
from s2scli.data.batching import Lengths, Rows, fits
from s2scli.data.shuffling import BLOCK, BLOCKS_READ
from s2scli.data.store import Corpus
from s2scli.data.stream import Line
from s2scli.errors import CheckpointError, OutOfMemoryError, S2SError, StorageError, UsageError
from s2scli.files import remove_folder
from s2scli.memory import explained, is_out_of_memory
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.pipeline.budget import measure_speed
from s2scli.pipeline.session import Session
from s2scli.pipeline.start import find_start
from s2scli.pipeline.train import (
    TrainRequest,
    check_request,
    choose_recipe,
    open_run,
    prepare_text,
    train,
)
from s2scli.pipeline.validation import open_validation
from s2scli.report.console import Talk
from s2scli.training.checkpoint import KEPT, checkpoint_folder, list_checkpoints
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Event, Saved, Step, Update
from s2scli.training.machine_use import MEGABYTE, cpu_seconds, peak_memory
from s2scli.training.settings import TrainingSettings
from s2scli.training.update import accumulate, normalize, step_if_finite
from s2scli.translation import torch_engine
from s2scli.translation.options import Options
from s2scli.workspace import Workspace

GROUP, RUN, SCRATCH, ONE_BATCH = ".rehearsal", "run", "scratch", "one-batch"
KILLED_AT, LAST = 3, 6  # steps
MEASURED_SECONDS = 10
VALIDATION_EXAMPLES, DECODED = 200, 20
SCANNED = BLOCKS_READ * BLOCK  # rows whose lengths are read at once
OVERFIT_PAIRS, LEARNED = 16, 0.5  # the loss must fall to this share
MIN_OVERFIT_UPDATES, OVERFIT_UPDATES, OVERFIT_CPU_SECONDS = 40, 200, 10
QUIET = Talk(quiet=True, interactive=False)


@dataclass(frozen=True)
class Rehearsal:
    """What a run needs, measured on a slice of it.

    Attributes:
        recipe: the name of the recipe.
        parameters: the number of parameters of the model.
        peak_memory_mb: the largest resident memory of the process; 0 if it is unknown.
        epoch_minutes: the time of the updates of an epoch.
        epoch_cpu_minutes: their processor time, over all cores.
        updates_per_epoch: updates in an epoch.
        validation_seconds: the time of a validation, at the beginning, when outputs are longest.
        checkpoint_mb: the size of a checkpoint.
        disk_mb: the space that a run needs while it improves: its checkpoints, while it writes
            another one, and two copies of the model.
        most_disk_mb: the same when the best checkpoint is an old one, or several are averaged.
        decoding_seconds: the time to translate a validation example with the recipe's search.
        overfit: the training loss on one small batch, in nats per token: the first and the last.
        seconds: how long the rehearsal took.
    """

    recipe: str
    parameters: int
    peak_memory_mb: float
    epoch_minutes: float
    epoch_cpu_minutes: float
    updates_per_epoch: int
    validation_seconds: float
    checkpoint_mb: float
    disk_mb: float
    most_disk_mb: float
    decoding_seconds: float
    overfit: tuple[float, float]
    seconds: float = 0.0

    @property
    def learns(self) -> bool:
        """Whether the loss on one batch fell far enough."""
        return self.overfit[1] <= LEARNED * self.overfit[0]


def rehearse(workspace: Workspace, request: TrainRequest, talk: Talk) -> Rehearsal:
    """Train a few updates, get killed, resume, validate, decode and overfit one batch.

    This happens in a folder of its own, which is removed; the workspace's run stays as it is.

    Raises:
        UsageError: a budget is given, which would be measured first.
        OutOfMemoryError: the system killed the rehearsal.
        S2SError: a stage failed; see `train`.
    """
    if request.budget:
        raise UsageError("--rehearse measures the recipe as it is; leave out --budget")
    if request.recipe is None and list_checkpoints(workspace.training):
        raise UsageError(
            "--rehearse tries a new run, and this workspace has one already; name the recipe to "
            "rehearse (-r NAME)"
        )
    started = time.monotonic()
    check_request(workspace, replace(request, restart=False), talk)
    with workspace.locked("train --rehearse"):
        corpus = Corpus.load(workspace.find_corpus())
        open_validation(corpus)
        start = find_start(workspace, request.init_from, talk, restart=True)
        recipe = choose_recipe(corpus, request, start, QUIET)
        prepare_text(workspace, corpus, recipe, start, talk)
        folder = workspace.root / GROUP
        _remove(folder)
        try:
            run = workspace.of_run(RUN, GROUP)
            talk.say(f"rehearsing: {KILLED_AT} updates, a checkpoint, and a kill of the process")
            _in_process(_train_until_killed, run, request)
            _check_killed(run)
            talk.say("then the longest batch, resuming, validating, translating, overfitting")
            found = _in_process(_resume_and_measure, run, request)
        finally:
            _remove(folder)
    if not isinstance(found, Rehearsal):
        raise OutOfMemoryError(
            "rehearsal: the process was killed, probably for want of memory; use smaller batches "
            "(--batch-tokens) or a smaller model (--size)"
        )
    found = replace(found, seconds=time.monotonic() - started)
    _warn(found, workspace, talk)
    return found


def _shortened(request: TrainRequest) -> TrainRequest:
    """Return the request for a run of a few updates."""
    few = [
        f"training.validation_examples={VALIDATION_EXAMPLES}",
        f"training.validate_every={LAST}",
        f"training.save_every={KILLED_AT}",
    ]
    limits = {"max_steps": LAST, "max_minutes": None, "max_epochs": None, "patience": 0}
    changes = [*request.changes, *few]  # the last of two changes counts
    return replace(request, assignments=changes, flags={}, limits=limits, restart=False)


Stage = Callable[[Workspace, TrainRequest], Rehearsal | None]


def _in_process(stage: Stage, run: Workspace, request: TrainRequest) -> Rehearsal | None:
    """Run a stage in a process of its own; return its result, None if the process was killed.

    A signal to this process ends the other one at once, as its work is thrown away.

    Raises:
        S2SError: the stage failed.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    threads = torch.get_num_threads()
    process = context.Process(target=_call, args=(stage, run, request, threads, there))
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        found = None
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
    if isinstance(found, S2SError):
        raise found
    return found if isinstance(found, Rehearsal) else None


def _call(
    stage: Stage, run: Workspace, request: TrainRequest, threads: int, answer: Connection
) -> None:
    keep_freed_memory()
    torch.set_num_threads(threads)
    try:
        answer.send(stage(run, request))
    except S2SError as error:
        answer.send(error)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        answer.send(explained(error, "train"))
    except KeyboardInterrupt:  # the parent gets it too
        pass


def _train_until_killed(run: Workspace, request: TrainRequest) -> None:
    """Train until there is a checkpoint after some updates, and die without warning.

    Raises:
        StorageError: the checkpoint cannot be written.
    """

    def watch(event: Event) -> None:
        if isinstance(event, Saved) and event.step == KILLED_AT:
            if event.fault:
                raise StorageError(f"rehearsal: {event.fault}")
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    train(run, replace(_shortened(request), watch=watch), QUIET)


def _check_killed(run: Workspace) -> None:
    """Check that the killed run left its checkpoint.

    Raises:
        OutOfMemoryError: the system killed it before.
    """
    if checkpoint_folder(run.training, KILLED_AT) not in list_checkpoints(run.training):
        raise OutOfMemoryError(
            f"rehearsal: the process was killed before update {KILLED_AT}, probably for want of "
            "memory; use smaller batches (--batch-tokens) or a smaller model (--size)"
        )


def _resume_and_measure(run: Workspace, request: TrainRequest) -> Rehearsal:
    """Measure updates, the longest batch and a validation; resume; translate; overfit a batch."""
    scratch = run.of_run(SCRATCH, GROUP)
    with scratch.locked("train --rehearse"):
        session = open_run(scratch, replace(request, restart=False), QUIET)
    recipe = session.recipe
    speed = measure_speed(session, MEASURED_SECONDS)
    _update(session, longest_batch(session.batches))
    validation = _validation_seconds(session)
    session.log.forget_after(0, 0)  # a new log, which saving needs
    session.save(session.run.progress)
    memory = peak_memory() / MEGABYTE
    del session
    gc.collect()
    _resume(run, _shortened(request))
    decoding = _decoding_seconds(run, request)
    overfit = _overfit(run.of_run(ONE_BATCH, GROUP), request, recipe)
    minutes = speed.updates_per_epoch / 60
    return Rehearsal(
        recipe.name,
        speed.parameters,
        round(memory, 1),
        minutes * speed.update_seconds,
        minutes * speed.cpu_seconds,
        speed.updates_per_epoch,
        validation,
        *_disk(run, recipe.training),
        decoding,
        overfit,
    )


def _validation_seconds(session: Session) -> float:
    """Return the time of a validation, estimated from some of its examples."""
    whole = session.validator
    step = -(-len(whole.lines) // VALIDATION_EXAMPLES)
    lines, references = whole.lines[::step], whole.references[::step]
    part = replace(whole, lines=lines, references=references, own=np.arange(len(lines)))
    session.run.model.eval()
    began = time.monotonic()
    part()
    return (time.monotonic() - began) * len(whole.lines) / len(lines)


def longest_batch(batches: TrainingBatches) -> Batch:
    """Return a full batch of the longest training pairs."""
    rows, longer = np.empty(0, np.int64), np.empty(0, np.int32)
    for some, *sides in _fitting(batches):
        rows, longer = np.concatenate([rows, some]), np.concatenate([longer, np.maximum(*sides)])
        count = max(1, batches.batch_tokens // (int(longer.max(initial=0)) + 1))
        longest = np.argsort(longer, kind="stable")[-count:]
        rows, longer = rows[longest], longer[longest]
    return make_batch(*batches.split.gather(rows[::-1]), batches.split.pad)


def _fitting(batches: TrainingBatches) -> Iterator[tuple[Rows, Lengths, Lengths]]:
    """Yield the rows that are short enough and their lengths, in parts: a split can be large."""
    split = batches.split
    for begin in range(0, len(split), SCANNED):
        sources, targets = split.lengths(begin, min(len(split), begin + SCANNED))
        kept = np.flatnonzero(fits(sources, targets, batches.settings.max_length))
        yield kept + begin, sources[kept], targets[kept]
        split.release()


def _update(session: Session, batch: Batch) -> float:
    """Make an update with one batch; return its loss before, in nats per token."""
    run = session.run
    run.model.train()
    sums = accumulate(run.model, [batch], run.settings, run.device, run.progress.step + 1)
    limit = run.settings.max_gradient_norm or math.inf
    norm = normalize(run.model.parameters(), sums.tokens, limit)
    step_if_finite(run.optimizer, norm)
    run.optimizer.zero_grad(set_to_none=True)
    return float(sums.loss) / max(1, sums.tokens)


def _resume(run: Workspace, request: TrainRequest) -> None:
    """Resume the killed run to its end.

    Raises:
        CheckpointError: it did not go on where it was killed.
    """
    steps: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, Step | Update):
            steps.append(event.step)

    train(run, replace(request, watch=watch), QUIET)
    if steps != [*range(KILLED_AT + 1, LAST + 1)]:
        raise CheckpointError(
            f"rehearsal: expected to resume at update {KILLED_AT + 1}, but made {steps}; run "
            "`s2s doctor`"
        )


def _decoding_seconds(run: Workspace, request: TrainRequest) -> float:
    """Translate some validation examples with the published model; return the seconds for one."""
    translator = torch_engine.load(run.model, device=request.device)
    text = open_validation(Corpus.load(run.corpus))
    rows = range(min(DECODED, len(text)))
    lines = [Line("the validation split", row + 1, text[row].source) for row in rows]
    began = time.monotonic()
    records = list(translator.translate(lines, Options(translator.engine.settings)))
    return (time.monotonic() - began) / len(records)


def _disk(run: Workspace, settings: TrainingSettings) -> tuple[float, float, float]:
    """Return the megabytes of a checkpoint, of a run, and of a run at most."""
    checkpoint = _size(list_checkpoints(run.training)[0])
    models = 2 * _size(run.model)  # while one replaces the other
    best = max(1, settings.average_checkpoints)
    return (
        checkpoint,
        (KEPT + 1) * checkpoint + models,
        (KEPT + 1 + best) * checkpoint + models,
    )


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE


def _overfit(run: Workspace, request: TrainRequest, recipe: Recipe) -> tuple[float, float]:
    """Train on one small batch without dropout and smoothing; return its first and last loss."""
    plain = replace(
        request, assignments=[*request.changes, *_without_noise(recipe)], flags={}, restart=False
    )
    with run.locked("train --rehearse"):
        session = open_run(run, plain, QUIET)
    batch = _usual_batch(session.batches)
    for group in session.run.optimizer.param_groups:
        group["lr"] = session.run.settings.optimizer.learning_rate
    first = last = _update(session, batch)
    began = cpu_seconds()
    for update in range(OVERFIT_UPDATES):
        enough = update >= MIN_OVERFIT_UPDATES and cpu_seconds() - began > OVERFIT_CPU_SECONDS
        if last <= LEARNED * first or enough:
            break
        last = _update(session, batch)
    return first, last


def _without_noise(recipe: Recipe) -> Iterator[str]:
    for name, section in recipe.model:
        if hasattr(section, "dropout"):
            yield f"model.{name}.dropout=0.0"
    yield "training.label_smoothing=0.0"
    yield "training.r_drop=0.0"
    yield "training.simcut=0.0"


def _usual_batch(batches: TrainingBatches) -> Batch:
    """Return a small batch of pairs of the median length; a large split is sampled."""
    split, step = batches.split, -(-len(batches.split) // SCANNED)
    some = [(rows[::step], targets[::step]) for rows, _, targets in _fitting(batches)]
    kept, lengths = map(np.concatenate, zip(*some, strict=True))
    order = kept[np.argsort(lengths, kind="stable")]
    start = max(0, len(order) // 2 - OVERFIT_PAIRS // 2)
    return make_batch(*split.gather(order[start : start + OVERFIT_PAIRS]), split.pad)


def _remove(folder: Path) -> None:
    if folder.exists():
        remove_folder(folder)


def _warn(found: Rehearsal, workspace: Workspace, talk: Talk) -> None:
    """Warn if the model does not learn, or the disk is too small."""
    if not found.learns:
        first, last = found.overfit
        talk.warn(
            f"the loss on {OVERFIT_PAIRS} pairs, trained on again and again, fell only from "
            f"{first:.2f} to {last:.2f}; try another learning rate (--lr)"
        )
    free = shutil.disk_usage(workspace.root).free / MEGABYTE
    if free < found.most_disk_mb:
        talk.warn(
            f"the run needs up to {found.most_disk_mb:,.0f} MB, and {free:,.0f} MB are free; make "
            "room, or use another workspace (-w)"
        )

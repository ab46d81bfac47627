"""The training loop: a generator that trains, validates and saves, and yields events."""

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.optim import Optimizer

from s2scli.errors import DivergedError, OutOfMemoryError, StorageError
from s2scli.memory import is_out_of_memory
from s2scli.model.kernels.allocation import give_back_freed_memory
from s2scli.model.kernels.batch_norm import running_statistics
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.weights import model_weights
from s2scli.training.averaging import MovingAverage, wearing
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import (
    Event,
    Fault,
    RolledBack,
    Saved,
    Skipped,
    Split,
    Step,
    Update,
    Validating,
    Validation,
)
from s2scli.training.progress import Progress
from s2scli.training.schedule import PlateauSettings
from s2scli.training.settings import TrainingSettings
from s2scli.training.stopping import Criterion, ending
from s2scli.training.update import accumulate, normalize, step_if_finite
from s2scli.training.world import ALONE, World

MAX_SKIPPED_IN_A_ROW = 10
# Before a validation that may take longer, in seconds, a checkpoint is saved: a stop waits for its
# end, and launchers kill what has not ended 30 seconds after SIGTERM.
LONG_VALIDATION = 5.0
GIVE_BACK_EVERY = 100  # updates; costs under 1 % of the time with millions of weights


@dataclass(frozen=True)
class Outcome:
    """An update that the host has not looked at yet.

    Attributes:
        before: the counters before it.
        tokens: the number of target tokens, over all processes.
        loss: the summed objective of this process in nats, a scalar on the device.
        gradient_norm: the norm before clipping, a scalar on the device; if it is not finite, the
            update was skipped.
        splits: how often this process split a batch that did not fit into memory.
        left_out: the rows that this process left out because they do not fit even alone.
    """

    before: Progress
    tokens: int
    loss: Tensor
    gradient_norm: Tensor
    splits: int
    left_out: tuple[int, ...]


@dataclass
class Run:
    """The state of a training run, and its settings.

    Attributes:
        model: the model, with its weights.
        optimizer: the optimizer, with its state.
        settings: the training settings.
        criterion: the validation score that selects the best checkpoint.
        device: the device of the model.
        progress: the counters.
        world: the processes that train together.
        average: the moving average of the weights (`training.ema_decay`).
        statistics: the running statistics that training changes: not those of frozen norms, whose
            mean over the processes would differ from them in the last bits.
        outcomes: the updates since the host last looked at the device (`_settle`).
        gradient_norm: the gradient norm of the last update that it has looked at.
    """

    model: Seq2Seq
    optimizer: Optimizer
    settings: TrainingSettings
    criterion: Criterion
    device: torch.device
    progress: Progress
    world: World = ALONE
    average: MovingAverage = field(init=False)
    statistics: Sequence[Tensor] = field(init=False)
    outcomes: list[Outcome] = field(default_factory=list)
    gradient_norm: float = 0.0

    def __post_init__(self) -> None:
        """Create the moving average, which is empty at first, and find the statistics."""
        self.statistics = running_statistics(self.model, frozen=False)
        self.average = MovingAverage(self.model, self.settings.ema_decay)

    @property
    def judged(self) -> Mapping[str, Tensor]:
        """The weights that are validated and published."""
        return self.average.weights or model_weights(self.model)


Validate = Callable[[], Mapping[str, float]]
Save = Callable[[Progress], None]
Stop = Callable[[], int]
RollBack = Callable[[int], int | None]


def no_checkpoint(step: int) -> int | None:
    """Return None: there is no checkpoint to roll back to."""
    return None


def train(
    run: Run,
    batches: TrainingBatches,
    validate: Validate,
    save: Save,
    stop: Stop,
    roll_back: RollBack = no_checkpoint,
) -> Iterator[Event]:
    """Train until a limit, patience or a signal stops the run, and yield events.

    Every update yields an `Update` every `training.log_every` updates, otherwise a `Step`; there
    may be events about faults before it. The model is validated before the first update, so that
    a broken validation fails early. The host waits for the device only where it reports, validates
    or saves.

    Args:
        run: the model, its optimizer and its progress; modified by training.
        batches: the training batches.
        validate: returns the validation scores of the model.
        save: writes a checkpoint.
        stop: returns the signal that asks for a stop, or 0.
        roll_back: restores the weights, the optimizer and the moving average of the newest
            checkpoint up to a step, and returns its step; None if there is none.

    Raises:
        DivergedError: too many updates in a row had a loss or gradient that is not finite, also
            after rolling back.
        OutOfMemoryError: no example of an update fits into memory.
        StorageError: the final checkpoint could not be written.
    """
    settings, clock = run.settings, Clock(run)
    interval = settings.validate_every or min(1000, max(200, batches.updates_per_epoch))
    looks = (settings.log_every, interval, settings.save_every, GIVE_BACK_EVERY)
    saved = run.progress.step or -1
    while True:
        step = run.progress.step
        finished = ending(run.progress, settings.limits, run.world.agree(stop()))
        due = step % interval == 0
        wanted = due if finished is None else not finished.signal
        scheduled = due or step % settings.save_every == 0
        if wanted and run.progress.validated != step:
            if step > max(saved, 0) and clock.validation_seconds > LONG_VALIDATION:
                yield from _save(run, batches, save, scheduled=scheduled)
            yield Validating(step)
            yield _validate(run, batches, validate, clock, scheduled=due)
            saved = -1
            finished = finished or ending(run.progress, settings.limits, run.world.agree(stop()))
        save_due = finished or run.progress.validated == step or scheduled
        if step != saved and save_due:
            yield from _save(run, batches, save, scheduled=scheduled, final=finished is not None)
            saved = step
        if finished:
            yield finished
            return
        with _enough_memory(run, batches):
            _update(run, batches)
        clock.tick()
        step = run.progress.step
        if any(step % every == 0 for every in looks):
            yield from _settle(run, batches)
            yield from _recover(run, roll_back)
        if step % GIVE_BACK_EVERY == 0:
            give_back_freed_memory()
        if step % settings.log_every == 0:
            yield _report(run, batches)
        else:
            yield Step(step, batches.epochs_done(run.progress), run.progress.seconds)


class Clock:
    """Adds elapsed time to the run's counters, measured by the first process.

    Attributes:
        run: the run.
        before: the time of the last tick.
        validation_seconds: how long the last validation took; infinite before the first.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.before, self.validation_seconds = run, time.monotonic(), math.inf

    def tick(self, *, training: bool = True) -> None:
        """Add the time since the last tick; `training` says whether it counts as training time."""
        now = time.monotonic()
        passed, self.before = self.run.world.broadcast(now - self.before), now
        if not training:
            self.validation_seconds = passed
        progress = self.run.progress
        self.run.progress = replace(
            progress,
            seconds=progress.seconds + passed,
            logged_seconds=progress.logged_seconds + (passed if training else 0.0),
        )


@contextlib.contextmanager
def _enough_memory(run: Run, batches: TrainingBatches) -> Iterator[None]:
    """Convert torch's out-of-memory errors into `OutOfMemoryError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"update {run.progress.step + 1} does not fit into the memory of {run.device} with "
            f"batches of {batches.batch_tokens} tokens; the last checkpoint is untouched; start "
            f"again with --restart --set training.batch_tokens={max(1, batches.batch_tokens // 2)}"
        ) from error


def _update(run: Run, batches: TrainingBatches) -> None:
    """Update the weights once, without waiting for the device."""
    before, world = run.progress, run.world
    group, after = batches.next(before)
    run.model.train()
    step = before.step + 1
    kept = [each.detach().clone() for each in run.statistics]
    world.separate_seeds(run.settings.seed, step)
    overlapped = functools.partial(world.overlapped, run.model.parameters())
    restore = functools.partial(_restore, run.statistics, kept)
    sums = accumulate(run.model, group, run.settings, run.device, step, overlapped, restore)
    world.sum_gradients(run.model.parameters())
    tokens = world.sum(sums.tokens)  # after the gradients, whose sums have begun
    limit = run.settings.max_gradient_norm or math.inf
    norm = normalize(run.model.parameters(), tokens, limit)
    for weights in run.optimizer.param_groups:
        weights["lr"] = learning_rate(run.settings, before, step)
    step_if_finite(run.optimizer, norm)
    world.average(run.statistics, sums.tokens)
    finite = norm.isfinite()
    pairs = zip(run.statistics, kept, strict=True)
    _restore(run.statistics, [torch.where(finite, now, before) for now, before in pairs])
    run.average.follow(step, finite)
    run.optimizer.zero_grad(set_to_none=True)
    run.outcomes.append(Outcome(before, tokens, sums.loss, norm, sums.splits, sums.left_out))
    run.progress = replace(after, step=step)


def _restore(statistics: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Set running statistics to these values."""
    for each, value in zip(statistics, values, strict=True):
        each.detach().copy_(value.detach())


def _settle(run: Run, batches: TrainingBatches) -> Iterator[Fault]:
    """Wait for the device, and count the updates since the last time; yield what went wrong."""
    outcomes, run.outcomes = run.outcomes, []
    if not outcomes:
        return
    split = [(o.before.step, o.splits, o.left_out) for o in outcomes if o.splits or o.left_out]
    for step, splits, left_out in run.world.gather(split):
        epoch = batches.epochs_done(run.progress)
        yield Split(step + 1, epoch, run.progress.seconds, splits, tuple(left_out))
    figures = torch.stack(
        [figure for each in outcomes for figure in (each.loss, each.gradient_norm)]
    )
    values: list[float] = figures.tolist()
    for outcome, loss, run.gradient_norm in zip(outcomes, values[::2], values[1::2], strict=True):
        loss, progress = run.world.sum(loss), run.progress
        if math.isfinite(run.gradient_norm):
            run.progress = replace(
                progress,
                skipped_in_a_row=0,
                safe=progress.saved,
                logged_loss=progress.logged_loss + loss,
                logged_tokens=progress.logged_tokens + outcome.tokens,
            )
            continue
        failed = outcome.tokens > 0  # without tokens, all its examples were left out
        run.progress = replace(
            progress,
            skipped=progress.skipped + 1,
            skipped_in_a_row=progress.skipped_in_a_row + failed,
        )
        if not failed:
            continue
        before = outcome.before
        epoch, rows = batches.epochs_done(before), batches.rows(before)
        yield Skipped(before.step + 1, epoch, before.seconds, tuple(rows.tolist()))


def _recover(run: Run, roll_back: RollBack) -> Iterator[RolledBack]:
    """Roll back, once in a run, if too many updates in a row were skipped; the data goes on."""
    progress, step = run.progress, run.progress.step
    if progress.skipped_in_a_row < MAX_SKIPPED_IN_A_ROW:
        return
    found = None if progress.rolled_back else roll_back(progress.safe)
    if found is None:
        again = f", also after rolling back at update {progress.rolled_back}"
        raise DivergedError(
            f"training diverged: {progress.skipped_in_a_row} updates in a row, up to update "
            f"{step}, had a loss or gradient that is not finite"
            + again
            * bool(progress.rolled_back)
            + "; the checkpoints are untouched; start again with --restart and a lower "
            "training.optimizer.learning_rate"
        )
    run.progress = replace(progress, skipped_in_a_row=0, rolled_back=step)
    yield RolledBack(step, progress.epoch, progress.seconds, found)


def learning_rate(settings: TrainingSettings, progress: Progress, step: int) -> float:
    """Return the learning rate of update `step`.

    What a plateau schedule took off does not outlive it, if a resumed run has another one.
    """
    schedule, minutes = settings.schedule, settings.limits.max_minutes
    used = progress.seconds / (60 * minutes) if minutes else 0.0
    scale = progress.plateau.scale if isinstance(schedule, PlateauSettings) else 1.0
    return settings.optimizer.learning_rate * schedule.factor(step, used) * scale


def _validate(
    run: Run, batches: TrainingBatches, validate: Validate, clock: Clock, *, scheduled: bool
) -> Validation:
    """Score the model and update the counters; before the first update, no score is counted.

    A model with a moving average is scored with the average.

    An unscheduled validation happens when a limit is reached, and the limit may be raised later. It
    can set a new best score, but does not change the schedule and the patience, so that a
    resumed run equals one that was never stopped.
    """
    clock.tick()
    run.model.eval()
    with wearing(run.model, run.average.weights):
        scores = {name: run.world.broadcast(score) for name, score in validate().items()}
    clock.tick(training=False)
    settings = run.settings
    progress = replace(run.progress, validated=run.progress.step)
    sound = all(map(math.isfinite, scores.values()))
    if not progress.step:  # an untrained model sets no best score, but is published
        run.progress = progress
        return Validation(0, 0.0, progress.seconds, scores, sound)
    score = scores[run.criterion.name]
    best = sound and run.criterion.is_better(score, progress.best_score)
    if best:
        progress = replace(progress, best_score=score, best_step=progress.step)
    if sound:
        size = settings.average_checkpoints
        ranking = run.criterion.rank(progress.ranking, progress.step, score, size)
        progress = replace(progress, ranking=ranking)
    if scheduled:
        improved = sound and run.criterion.is_better(score, progress.best_scheduled)
        progress = _count(progress, settings, score, improved=improved)
    run.progress = progress
    return Validation(progress.step, batches.epochs_done(progress), progress.seconds, scores, best)


def _count(
    progress: Progress, settings: TrainingSettings, score: float, *, improved: bool
) -> Progress:
    """Return the progress after a scheduled validation: its schedule and patience are updated."""
    plateau = settings.schedule.after_validation(progress.plateau, improved=improved)
    if improved:
        return replace(progress, plateau=plateau, best_scheduled=score, bad_validations=0)
    return replace(progress, plateau=plateau, bad_validations=progress.bad_validations + 1)


def _save(
    run: Run, batches: TrainingBatches, save: Save, *, scheduled: bool, final: bool = False
) -> Iterator[Fault | Saved]:
    """Write a checkpoint; a failure to write raises an error only at the end of the run.

    Only a scheduled one may be rolled back to, so that a resumed run rolls back to the same.
    """
    yield from _settle(run, batches)
    fault = ""
    if scheduled and not run.progress.skipped_in_a_row:
        run.progress = replace(run.progress, saved=run.progress.step)
    try:
        run.world.once(lambda: save(run.progress))
    except StorageError as error:
        if final:
            raise
        fault = str(error)
    yield Saved(run.progress.step, fault)


def _report(run: Run, batches: TrainingBatches) -> Update:
    """Return a report on the updates since the last one, and reset the counters for the next."""
    progress = run.progress
    tokens = progress.logged_tokens
    update = Update(
        progress.step,
        batches.epochs_done(progress),
        progress.logged_loss / tokens if tokens else math.nan,
        tokens,
        run.optimizer.param_groups[0]["lr"],
        run.gradient_norm,
        progress.seconds,
        tokens / max(1e-9, progress.logged_seconds),
    )
    run.progress = replace(progress, logged_loss=0.0, logged_tokens=0, logged_seconds=0.0)
    return update

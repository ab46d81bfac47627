"""The training loop: a generator that trains, validates and saves, and yields events."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from s2scli.data.batch import Batch
from s2scli.errors import DivergedError, OutOfMemoryError, StorageError
from s2scli.memory import is_out_of_memory
from s2scli.model.kernels.allocation import give_back_freed_memory
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.weights import model_weights
from s2scli.training.averaging import MovingAverage, wearing
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Event, Saved, Step, Update, Validating, Validation
from s2scli.training.objective import batch_objective
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from s2scli.training.stopping import Criterion, ending
from s2scli.training.world import ALONE, World

MAX_SKIPPED_IN_A_ROW = 10
GIVE_BACK_EVERY = 100  # updates; costs under 1 % of the time with millions of weights


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
    """

    model: Seq2Seq
    optimizer: Optimizer
    settings: TrainingSettings
    criterion: Criterion
    device: torch.device
    progress: Progress
    world: World = ALONE
    average: MovingAverage = field(init=False)

    def __post_init__(self) -> None:
        """Create the moving average, which is empty at first."""
        self.average = MovingAverage(self.model, self.settings.ema_decay)

    @property
    def judged(self) -> Mapping[str, Tensor]:
        """The weights that are validated and published."""
        return self.average.weights or model_weights(self.model)


Validate = Callable[[], Mapping[str, float]]
Save = Callable[[Progress], None]
Stop = Callable[[], int]


def train(
    run: Run, batches: TrainingBatches, validate: Validate, save: Save, stop: Stop
) -> Iterator[Event]:
    """Train until a limit, patience or a signal stops the run, and yield events.

    Every update yields one event: an `Update` every `training.log_every` updates, otherwise a
    `Step`. The model is validated before the first update, so that a broken validation fails
    early.

    Args:
        run: the model, its optimizer and its progress; modified by training.
        batches: the training batches.
        validate: returns the validation scores of the model.
        save: writes a checkpoint.
        stop: returns the signal that asks for a stop, or 0.

    Raises:
        DivergedError: too many updates in a row had a loss or gradient that is not finite.
        OutOfMemoryError: a batch does not fit into memory.
        StorageError: the final checkpoint could not be written.
    """
    settings, clock = run.settings, Clock(run)
    interval = settings.validate_every or min(1000, max(200, batches.updates_per_epoch))
    saved = run.progress.step or -1
    gradient_norm = 0.0
    while True:
        step = run.progress.step
        finished = ending(run.progress, settings.limits, run.world.agree(stop()))
        due = step % interval == 0
        wanted = due if finished is None else not finished.signal
        if wanted and run.progress.validated != step:
            yield Validating(step)
            yield _validate(run, batches, validate, clock, scheduled=due)
            saved = -1
            finished = finished or ending(run.progress, settings.limits, run.world.agree(stop()))
        save_due = finished or run.progress.validated == step or step % settings.save_every == 0
        if step != saved and save_due:
            yield _save(run, save, final=finished is not None)
            saved = step
        if finished:
            yield finished
            return
        with _enough_memory(run, batches):
            gradient_norm = _update(run, batches)
        clock.tick()
        if run.progress.step % GIVE_BACK_EVERY == 0:
            give_back_freed_memory()
        if run.progress.step % settings.log_every == 0:
            yield _report(run, batches, gradient_norm)
        else:
            progress = run.progress
            yield Step(progress.step, batches.epochs_done(progress), progress.seconds)


class Clock:
    """Adds elapsed time to the run's counters, measured by the first process."""

    def __init__(self, run: Run) -> None:
        self.run, self.before = run, time.monotonic()

    def tick(self, *, training: bool = True) -> None:
        """Add the time since the last tick; `training` says whether it counts as training time."""
        now = time.monotonic()
        passed, self.before = self.run.world.broadcast(now - self.before), now
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


def _update(run: Run, batches: TrainingBatches) -> float:
    """Update the weights once, and return the gradient norm."""
    group, after = batches.next(run.progress)
    run.model.train()
    loss, tokens = _accumulate_gradients(run, group)
    limit = run.settings.max_gradient_norm or math.inf
    norm = float(nn.utils.clip_grad_norm_(run.model.parameters(), limit))
    finite = not run.world.agree(not (math.isfinite(norm) and math.isfinite(loss)))
    step = run.progress.step + 1
    if finite:
        for group_of_weights in run.optimizer.param_groups:
            group_of_weights["lr"] = learning_rate(run.settings, run.progress, step)
        run.optimizer.step()
        run.average.follow(step)
    run.optimizer.zero_grad(set_to_none=True)
    in_a_row = 0 if finite else run.progress.skipped_in_a_row + 1
    run.progress = replace(
        after,
        step=step,
        skipped=run.progress.skipped + (not finite),
        skipped_in_a_row=in_a_row,
        logged_loss=run.progress.logged_loss + (loss if finite else 0.0),
        logged_tokens=run.progress.logged_tokens + (tokens if finite else 0),
    )
    if in_a_row >= MAX_SKIPPED_IN_A_ROW:
        raise DivergedError(
            f"training diverged: {in_a_row} updates in a row, up to update {step}, had a loss or "
            "gradient that is not finite; the last checkpoint is untouched; start again with "
            "--restart and a lower training.optimizer.learning_rate"
        )
    return norm


def _accumulate_gradients(run: Run, group: Sequence[Batch]) -> tuple[float, int]:
    """Accumulate the gradients of the mean objective per target token, over all processes.

    Returns:
        The summed objective in nats and the number of target tokens, over all processes.
    """
    world, step = run.world, run.progress.step + 1
    world.separate_seeds(run.settings.seed, step)
    tokens = world.sum(sum(int(batch.target_mask.sum()) for batch in group))
    objective = 0.0
    for batch in group:
        sums = batch_objective(run.model, batch.to(run.device), run.settings, step)
        last = batch is group[-1]
        with world.overlapped(run.model.parameters()) if last else contextlib.nullcontext():
            torch.autograd.backward(sums / tokens)
        objective += float(sums.detach())
    world.sum_gradients(run.model.parameters())
    return world.sum(objective), tokens


def learning_rate(settings: TrainingSettings, progress: Progress, step: int) -> float:
    """Return the learning rate of update `step`."""
    base = settings.optimizer.learning_rate
    return base * settings.schedule.factor(step) * progress.plateau.scale


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


def _save(run: Run, save: Save, *, final: bool) -> Saved:
    """Write a checkpoint; a failure to write raises an error only at the end of the run."""
    try:
        run.world.once(lambda: save(run.progress))
    except StorageError as error:
        if final:
            raise
        return Saved(run.progress.step, str(error))
    return Saved(run.progress.step)


def _report(run: Run, batches: TrainingBatches, gradient_norm: float) -> Update:
    """Return a report on the updates since the last one, and reset the counters for the next."""
    progress = run.progress
    tokens = progress.logged_tokens
    update = Update(
        progress.step,
        batches.epochs_done(progress),
        progress.logged_loss / max(1, tokens),
        tokens,
        learning_rate(run.settings, progress, progress.step),
        gradient_norm,
        progress.seconds,
        tokens / max(1e-9, progress.logged_seconds),
    )
    run.progress = replace(progress, logged_loss=0.0, logged_tokens=0, logged_seconds=0.0)
    return update

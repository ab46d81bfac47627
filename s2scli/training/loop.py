"""The training loop: a generator of events that makes updates, validates, saves and stops."""

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
from s2scli.model.kernels.allocation import give_back_freed_memory
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.weights import model_weights
from s2scli.training.averaging import MovingAverage, wearing
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Event, Finished, Saved, Update, Validation
from s2scli.training.objective import batch_objective
from s2scli.training.progress import Progress, is_better, ranked
from s2scli.training.settings import LimitSettings, TrainingSettings

MAX_SKIPPED_IN_A_ROW = 10
GIVE_BACK_EVERY = 100  # updates; of millions of weights, under a hundredth of their time
CPU_IS_FULL = "DefaultCPUAllocator: "  # torch has no class of its own for it


@dataclass
class Run:
    """What changes while training: the weights, their average, the optimizer's state, the counters.

    The average is that of `training.ema_decay`.
    """

    model: Seq2Seq
    optimizer: Optimizer
    settings: TrainingSettings
    device: torch.device
    progress: Progress
    average: MovingAverage = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no average."""
        self.average = MovingAverage(self.model, self.settings.ema_decay)

    @property
    def judged(self) -> Mapping[str, Tensor]:
        """The weights that validation looks at and a model is published with."""
        return self.average.weights or model_weights(self.model)


Validate = Callable[[], Mapping[str, float]]
Save = Callable[[Progress], None]
Stop = Callable[[], int]


def train(
    run: Run, batches: TrainingBatches, validate: Validate, save: Save, stop: Stop
) -> Iterator[Event]:
    """Train until a limit, the patience or a signal ends it; yield what happens.

    The validation split is looked at before the first update, so that what would fail late
    fails early.

    Args:
        run: the model, its optimizer and where they stand; changed as training goes.
        batches: where the batches come from.
        validate: scores the model as it is.
        save: writes a checkpoint.
        stop: returns the signal that asks for an end, or 0.

    Raises:
        DivergedError: too many updates in a row had no finite gradient.
        OutOfMemoryError: a batch does not fit into the memory.
        StorageError: the last checkpoint could not be written.
    """
    settings, clock = run.settings, Clock(run)
    interval = settings.validate_every or min(1000, max(200, batches.updates_per_epoch))
    saved = run.progress.step or -1
    gradient_norm = 0.0
    while True:
        step = run.progress.step
        ending = _ending(run.progress, settings.limits, stop())
        due = step % interval == 0
        wanted = due if ending is None else not ending.signal
        if wanted and run.progress.validated != step:
            yield _validate(run, batches, validate, clock, scheduled=due)
            saved = -1
            ending = ending or _ending(run.progress, settings.limits, stop())
        save_due = ending or run.progress.validated == step or step % settings.save_every == 0
        if step != saved and save_due:
            yield _save(run, save, final=ending is not None)
            saved = step
        if ending:
            yield ending
            return
        with _enough_memory(run, batches):
            gradient_norm = _update(run, batches)
        clock.tick()
        if run.progress.step % GIVE_BACK_EVERY == 0:
            give_back_freed_memory()
        if run.progress.step % settings.log_every == 0:
            yield _report(run, batches, gradient_norm)


class Clock:
    """Adds the time that passes to the run's counters."""

    def __init__(self, run: Run) -> None:
        self.run, self.before = run, time.monotonic()

    def tick(self, *, training: bool = True) -> None:
        """Count the time since the last tick, as training time or not."""
        now = time.monotonic()
        passed, self.before = now - self.before, now
        progress = self.run.progress
        self.run.progress = replace(
            progress,
            seconds=progress.seconds + passed,
            logged_seconds=progress.logged_seconds + (passed if training else 0.0),
        )


def _ending(progress: Progress, limits: LimitSettings, signal: int) -> Finished | None:
    """Return why the run ends here, or None if it goes on."""
    step = progress.step
    if signal:
        return Finished(step, "stopped by a signal", signal)
    for name, used in (
        ("max_steps", step),
        ("max_epochs", progress.epoch),
        ("max_minutes", progress.seconds / 60),
    ):
        limit = getattr(limits, name)
        if limit is not None and used >= limit:
            return Finished(step, f"{name} {limit:.10g} reached", limit=name)
    if limits.patience and progress.bad_validations >= limits.patience:
        reason = f"no better score in {limits.patience} validations"
        return Finished(step, reason, limit="patience")
    return None


@contextlib.contextmanager
def _enough_memory(run: Run, batches: TrainingBatches) -> Iterator[None]:
    """Turn torch's complaint that an update does not fit into the memory into an error of ours."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and CPU_IS_FULL not in str(error):
            raise
        raise OutOfMemoryError(
            f"update {run.progress.step + 1} does not fit into the memory of {run.device} with "
            f"batches of {batches.batch_tokens} tokens; the last checkpoint is untouched; start "
            f"anew with --restart --set training.batch_tokens={max(1, batches.batch_tokens // 2)}"
        ) from error


def _update(run: Run, batches: TrainingBatches) -> float:
    """Make one update of the weights; return the norm of the gradient."""
    group, after = batches.next(run.progress)
    run.model.train()
    loss, tokens = _accumulate_gradients(run, group)
    limit = run.settings.max_gradient_norm or math.inf
    norm = float(nn.utils.clip_grad_norm_(run.model.parameters(), limit))
    finite = math.isfinite(norm) and math.isfinite(loss)
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
            f"training diverged: {in_a_row} updates in a row up to {step} had a loss or gradient "
            "that is not finite; the last checkpoint is untouched; start anew with --restart and a "
            "lower training.optimizer.learning_rate"
        )
    return norm


def _accumulate_gradients(run: Run, group: Sequence[Batch]) -> tuple[float, int]:
    """Add up the gradients of the mean objective over the group's target tokens.

    Returns the summed objective in nats and the number of tokens.
    """
    tokens = sum(int(batch.target_mask.sum()) for batch in group)
    objective = 0.0
    for batch in group:
        sums = batch_objective(run.model, batch.to(run.device), run.settings, run.progress.step + 1)
        torch.autograd.backward(sums / tokens)
        objective += float(sums.detach())
    return objective, tokens


def learning_rate(settings: TrainingSettings, progress: Progress, step: int) -> float:
    """Return the learning rate of update `step`."""
    base = settings.optimizer.learning_rate
    return base * settings.schedule.factor(step) * progress.plateau.scale


def _validate(
    run: Run, batches: TrainingBatches, validate: Validate, clock: Clock, *, scheduled: bool
) -> Validation:
    """Score the model and count the result; before the first update, only look.

    A model whose weights are averaged is scored with the average.

    One off schedule, at a limit that may be raised later, can only make a new best: what the
    schedule and the patience go by stays as it would be had the run not ended there.
    """
    clock.tick()
    run.model.eval()
    with wearing(run.model, run.average.weights):
        scores = validate()
    clock.tick(training=False)
    settings = run.settings
    progress = replace(run.progress, validated=run.progress.step)
    sound = all(map(math.isfinite, scores.values()))
    if not progress.step:  # chance is no score to beat, but the model is published all the same
        run.progress = progress
        return Validation(0, 0.0, progress.seconds, scores, sound)
    score = scores[settings.metric]
    best = sound and is_better(settings.metric, score, progress.best_score)
    if best:
        progress = replace(progress, best_score=score, best_step=progress.step)
    if sound:
        size = settings.average_checkpoints
        ranking = ranked(settings.metric, progress.ranking, progress.step, score, size)
        progress = replace(progress, ranking=ranking)
    if scheduled:
        improved = sound and is_better(settings.metric, score, progress.best_scheduled)
        progress = _count(progress, settings, score, improved=improved)
    run.progress = progress
    return Validation(progress.step, batches.epochs_done(progress), progress.seconds, scores, best)


def _count(
    progress: Progress, settings: TrainingSettings, score: float, *, improved: bool
) -> Progress:
    """Return the counters after a scheduled validation."""
    plateau = settings.schedule.after_validation(progress.plateau, improved=improved)
    if improved:
        return replace(progress, plateau=plateau, best_scheduled=score, bad_validations=0)
    return replace(progress, plateau=plateau, bad_validations=progress.bad_validations + 1)


def _save(run: Run, save: Save, *, final: bool) -> Saved:
    """Write a checkpoint; a full disk ends the run only at its end."""
    try:
        save(run.progress)
    except StorageError as error:
        if final:
            raise
        return Saved(run.progress.step, str(error))
    return Saved(run.progress.step)


def _report(run: Run, batches: TrainingBatches, gradient_norm: float) -> Update:
    """Return the log line since the last one, and begin the next."""
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

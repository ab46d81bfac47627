"""`s2s train --budget`: fit a recipe to a training time, from the measured speed of its updates."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from s2scli.config import SIZE, Recipe, change_recipe, named_size
from s2scli.errors import ConfigError, UsageError
from s2scli.model.seq2seq import count_parameters
from s2scli.model.sizes import MODEL_SIZES
from s2scli.pipeline.session import Session
from s2scli.report.console import Talk
from s2scli.report.progress import clock
from s2scli.training.events import Step, Update
from s2scli.training.loop import train as training_events
from s2scli.training.machine_use import cpu_seconds
from s2scli.training.settings import LimitSettings

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
SCHEDULE, LIMITS = "training.schedule", "training.limits"

# A size is too large if it sees each pair fewer than MIN_EPOCHS times, and a batch if it leaves
# fewer than MIN_UPDATES updates. More than both MAX_EPOCHS and ENOUGH_UPDATES do not help.
# On the validation split of Multi30k, small and tiny had 30.3 and 28.2 BLEU (greedy) after 3.7 and
# 6.5 epochs, in 5 minutes of two cores; in 5 minutes of one core, they had 22.6 and 26.2 (beam 5)
# after 1.7 and 4.9 epochs. In 5 minutes of two cores, small had 23.0 BLEU (greedy) with 871
# updates of 2,048 tokens, 87 of them to warm up, and 30.6 with 1,338 of 1,024 tokens and 200.
MIN_EPOCHS, MIN_UPDATES, MIN_BATCH_TOKENS = 3, 1500, 512
MAX_EPOCHS, ENOUGH_UPDATES = 60, 5000
USED = 0.95  # the share of the time to plan for, so that the last update is within it
VALIDATIONS, VALIDATION_SHARE = 12, 0.15
WARMUP_SHARE, WARMUP_STEPS = 0.25, 200
WARM_UPDATES, MAX_UPDATES, MAX_SECONDS, SECONDS_SHARE = 3, 50, 10, 0.02  # of one measurement


def minutes_of(text: str) -> float:
    """Return a duration such as 20m, 1h30m or 90s in minutes.

    Raises:
        UsageError: it is not a duration, or it is zero.
    """
    found = DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = 60 * hours + minutes + seconds / 60
    if total <= 0:
        raise UsageError(f"--budget {text}: expected a time such as 20m, 1h30m or 90s")
    return total


@dataclass(frozen=True)
class Speed:
    """The measured speed of a recipe.

    Attributes:
        recipe: the recipe.
        parameters: the number of parameters of its model.
        update_seconds: the mean time of an update.
        updates_per_epoch: updates in an epoch.
        batch_tokens: the maximum batch size.
        cpu_seconds: the mean processor time of an update, over all cores.
        validation_seconds: the time of a validation before training, when outputs are longest.
    """

    recipe: Recipe
    parameters: int
    update_seconds: float
    updates_per_epoch: int
    batch_tokens: int
    cpu_seconds: float = 0.0
    validation_seconds: float = 0.0

    def updates(self, seconds: float) -> int:
        """Return the number of updates in this time."""
        return int(seconds / self.update_seconds)

    def epochs(self, seconds: float) -> float:
        """Return the number of epochs in this time."""
        return seconds / self.update_seconds / self.updates_per_epoch


@dataclass(frozen=True)
class Fit:
    """How a run spends its time.

    Attributes:
        updates: the number of updates; the last one has the lowest learning rate.
        validate_every: updates between validations.
        warmup_steps: updates over which the learning rate rises.
    """

    updates: int
    validate_every: int
    warmup_steps: int


OpenSession = Callable[[Recipe], Session]


def fit_to_budget(
    recipe: Recipe,
    minutes: float,
    changes: Sequence[str],
    open_session: OpenSession,
    talk: Talk,
    *,
    resizable: bool,
) -> Recipe:
    """Return the recipe with the size, batch, schedule and limits that fit the time.

    The updates are planned for the time that measuring leaves. The limit in minutes does not count
    measuring, so a run that is slower than measured may end that much later.

    Args:
        recipe: the recipe for the size of the corpus, which is the largest model to use.
        minutes: the training time.
        changes: the user's changes to the recipe; these settings are not changed again.
        open_session: puts a run with a recipe together.
        talk: says what was chosen, and why.
        resizable: whether the size of the model may change.

    Raises:
        UsageError: the user changed the schedule or a limit.
        ConfigError: the time is too short for one update.
    """
    given = own_paths(changes)
    started = time.monotonic()
    budget = 60 * minutes
    longest = min(MAX_SECONDS, SECONDS_SHARE * budget)
    resizable = resizable and not _sets_size(given)

    def measure(candidate: Recipe) -> Speed:
        speed = measure_speed(open_session(candidate), longest)
        talk.say(f"budget: {_described(speed, USED * budget)}")
        return speed

    speed = choose_size(measure(recipe), USED * budget, measure) if resizable else measure(recipe)
    if "training.batch_tokens" not in given:
        speed = choose_batch(speed, USED * budget, measure)
    session = open_session(speed.recipe)
    speed = with_validation(speed, session)
    spent = session.run.world.broadcast(time.monotonic() - started)
    fit = plan_updates(speed, USED * budget - spent)
    changed = _kept(_fit_changes(fit, minutes), given)
    fitted = _changed(speed.recipe, changed)
    _say(speed, fit, fitted, minutes, talk)
    return fitted


def measure_speed(session: Session, longest: float) -> Speed:
    """Measure the updates of a run, which is not saved.

    Args:
        session: the run; its weights are changed.
        longest: the time to measure, after a few updates to warm up, in seconds.
    """
    run = session.run
    first = run.progress.step + WARM_UPDATES
    limits = LimitSettings(max_steps=first + MAX_UPDATES)
    run.settings = run.settings.model_copy(update={"limits": limits})
    began, busy, done = 0.0, 0.0, 0
    for event in training_events(
        run, session.batches, lambda: {run.criterion.name: 0.0}, lambda progress: None, lambda: 0
    ):
        if not isinstance(event, Step | Update):
            continue
        done = event.step - first
        if done == 0:
            began, busy = event.seconds, cpu_seconds()
        elif done > 0 and event.seconds - began > longest:
            break
    return Speed(
        session.recipe,
        count_parameters(run.model),
        (run.progress.seconds - began) / done,
        session.batches.updates_per_epoch,
        session.batches.batch_tokens,
        (cpu_seconds() - busy) / done,
    )


def with_validation(speed: Speed, session: Session) -> Speed:
    """Return the speed with the time of a validation of a new run."""
    session.run.model.eval()
    began = time.monotonic()
    session.validator()
    seconds = session.run.world.broadcast(time.monotonic() - began)
    return replace(speed, validation_seconds=seconds)


def choose_size(own: Speed, seconds: float, measure: Callable[[Recipe], Speed]) -> Speed:
    """Return the largest size, up to the recipe's own, that sees each pair often enough.

    Args:
        own: the speed of the recipe's own size.
        seconds: the training time.
        measure: measures another size.
    """
    name = named_size(own.recipe)
    if name is None:
        return own
    names = [*MODEL_SIZES]
    chosen = own
    for smaller in reversed(names[: names.index(name)]):
        if chosen.epochs(seconds) >= MIN_EPOCHS:
            break
        chosen = measure(_changed(own.recipe, [f"{SIZE}={smaller}"]))
    return chosen


def choose_batch(own: Speed, seconds: float, measure: Callable[[Recipe], Speed]) -> Speed:
    """Return the largest batch, up to the recipe's own, that leaves enough updates."""
    chosen = own
    while chosen.updates(seconds) < MIN_UPDATES and chosen.batch_tokens >= 2 * MIN_BATCH_TOKENS:
        half = chosen.batch_tokens // 2
        chosen = measure(_changed(chosen.recipe, [f"training.batch_tokens={half}"]))
    return chosen


def plan_updates(speed: Speed, seconds: float) -> Fit:
    """Share the time out between updates and validations.

    There are `VALIDATIONS` of them, or fewer if they would take more than `VALIDATION_SHARE` of
    the time, and one before the first update. The recipe's limit of epochs holds.

    Args:
        speed: the measured speed.
        seconds: the time for all updates and validations.

    Raises:
        ConfigError: there is no time for an update.
    """
    affordable = int(VALIDATION_SHARE * seconds / max(1e-9, speed.validation_seconds))
    validations = max(1, min(VALIDATIONS, affordable))
    updates = speed.updates(seconds - (validations + 1) * speed.validation_seconds)
    if updates < 1:
        raise ConfigError(
            f"--budget: {clock(max(0, seconds))} are left for training, but an update takes "
            f"{speed.update_seconds:.2g} seconds and a validation {speed.validation_seconds:.2g}; "
            "give more time, or fewer training.validation_examples"
        )
    most = max(ENOUGH_UPDATES, int(MAX_EPOCHS * speed.updates_per_epoch))
    if epochs := speed.recipe.training.limits.max_epochs:
        most = min(most, epochs * speed.updates_per_epoch)
    updates = min(updates, most)
    warmup = getattr(speed.recipe.training.schedule, "warmup_steps", 0) or WARMUP_STEPS
    return Fit(updates, -(-updates // validations), min(warmup, int(WARMUP_SHARE * updates)))


def fitted_changes(own: Recipe, minutes: float, changes: Sequence[str]) -> list[str]:
    """Return the changes that `fit_to_budget` made to the recipe of a run.

    Args:
        own: the recipe of the run.
        minutes: the training time.
        changes: the user's changes.

    Raises:
        UsageError: the user changed a limit or the schedule.
        ConfigError: the recipe was not fitted to this time.
    """
    limits, schedule, given = own.training.limits, own.training.schedule, own_paths(changes)
    fitted_steps = limits.max_steps and limits.max_steps == getattr(schedule, "total_steps", None)
    if limits.max_minutes != minutes or not fitted_steps:
        raise ConfigError(
            "the run in this workspace was not started with this --budget; resume without it, use "
            "another workspace (-w), or start again (--restart)"
        )
    size = named_size(own)
    resized = size and not _sets_size(given)
    fitted = [
        *([f"{SIZE}={size}"] if resized else []),
        f"training.batch_tokens={own.training.batch_tokens}",
        f"training.validate_every={own.training.validate_every}",
        *(f"{SCHEDULE}.{name}={value}" for name, value in schedule.model_dump().items()),
        *_limit_changes(minutes, limits.max_steps or 0),
    ]
    return _kept(fitted, given)


def _fit_changes(fit: Fit, minutes: float) -> list[str]:
    return [
        f"{SCHEDULE}.kind=cosine",
        f"{SCHEDULE}.total_steps={fit.updates}",
        f"{SCHEDULE}.in_time=true",
        f"{SCHEDULE}.warmup_steps={fit.warmup_steps}",
        f"{SCHEDULE}.floor=0.0",
        f"training.validate_every={fit.validate_every}",
        *_limit_changes(minutes, fit.updates),
    ]


def _limit_changes(minutes: float, updates: int) -> list[str]:
    limits = {"max_minutes": minutes, "max_steps": updates, "patience": 0}
    return [f"{LIMITS}.{name}={value}" for name, value in limits.items()]


def own_paths(changes: Sequence[str]) -> set[str]:
    """Return the settings that the user changed.

    Raises:
        UsageError: one of them is part of the schedule or a limit; patience may be changed.
    """
    given = _paths(changes)
    for path in sorted(given - {f"{LIMITS}.patience"}):
        if f"{path}.".startswith((f"{SCHEDULE}.", f"{LIMITS}.")):
            raise UsageError(f"--budget sets the schedule and the limits; leave out --set {path}")
    return given


def _paths(changes: Sequence[str]) -> set[str]:
    return {change.partition("=")[0].strip() for change in changes}


def _sets_size(paths: set[str]) -> bool:
    """Return whether one of these settings may be part of the size of a model."""
    return any(path.startswith("model.") and not path.endswith(".dropout") for path in paths)


def _kept(fitted: Sequence[str], given: set[str]) -> list[str]:
    """Return the changes of settings that the user did not change."""
    return [change for change in fitted if not _paths([change]) & given]


def _changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    return change_recipe(recipe.model_dump(mode="json"), changes, "--budget")


def _described(speed: Speed, seconds: float) -> str:
    name = named_size(speed.recipe)
    return (
        f"{speed.recipe.name}{f', size {name}' if name else ''}, {speed.parameters:,} parameters, "
        f"batches of {speed.batch_tokens} tokens: {speed.update_seconds:.3f} seconds per update, "
        f"time for {speed.updates(seconds):,} updates ({speed.epochs(seconds):.1f} epochs)"
    )


def _say(speed: Speed, fit: Fit, fitted: Recipe, minutes: float, talk: Talk) -> None:
    """Say what was chosen, and why."""
    size = named_size(fitted)
    epochs, most = fit.updates / speed.updates_per_epoch, fitted.training.limits.max_epochs
    every = fitted.training.validate_every or fit.validate_every
    needed = fit.updates * speed.update_seconds + speed.validation_seconds * (
        1 + -(-fit.updates // every)
    )
    talk.say(
        f"budget of {minutes:.4g} minutes: {f'size {size}, ' if size else ''}batches of "
        f"{speed.batch_tokens} tokens, {fit.updates:,} updates "
        f"({epochs:.1f} epochs), {fit.warmup_steps} of them to warm "
        f"up; then the learning rate decays to 0 at the last one, after about {clock(needed)}; a "
        f"validation every {every} updates"
    )
    if needed < USED * 60 * minutes / 2 and not (most and epochs >= most):
        talk.say(
            f"more than {epochs:.0f} epochs rarely help, so the run does not use the whole budget"
        )

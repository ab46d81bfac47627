"""Training progress: a live display on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from s2scli.report.console import Talk

DIGITS = 3
SECONDS_A_DRAWING = 0.1
ROW = ("validation", "   step", " epoch", "    time")  # the first columns of a validation's row
SCORES = (
    "loss",
    "wer",
    "cer",
    "chrf",
    "bleu",
    "exact_match",
)  # shown beside the criterion, if they fit
BEST = "  best"


@dataclass(frozen=True)
class Goal:
    """The limits of a run, from which its progress is computed."""

    max_steps: int | None
    max_epochs: int | None
    max_minutes: float | None

    def share(self, step: int, epoch: float, seconds: float) -> float | None:
        """Return how much of the nearest limit is used, from 0 to 1; None without limits."""
        used = [
            done / limit
            for done, limit in (
                (step, self.max_steps),
                (epoch, self.max_epochs),
                (seconds / 60, self.max_minutes),
            )
            if limit
        ]
        return min(1.0, max(used)) if used else None

    def seconds_left(
        self, step: int, epoch: float, seconds: float, before: float = 0.0
    ) -> float | None:
        """Return the time until the nearest limit, at the speed so far; None without a limit.

        Args:
            step: updates made.
            epoch: epochs finished.
            seconds: time the run has taken.
            before: the part of `seconds` before the first update, excluded from the speed.
        """
        training = seconds - before
        left = [
            training * (limit - done) / done
            for done, limit in ((step, self.max_steps), (epoch, self.max_epochs))
            if limit and done
        ]
        left += [60 * self.max_minutes - seconds] if self.max_minutes else []
        return max(0.0, min(left)) if left else None


@dataclass
class TrainingDisplay:
    """Shows the updates and validations of a run.

    Attributes:
        talk: prints the lines.
        goal: the limits that the time left is computed from.
        metric: the score that the live line always shows.
        digits: the number of decimals of each score, by name; `DIGITS` for others.
    """

    talk: Talk
    goal: Goal
    metric: str
    digits: Mapping[str, int]
    _bar: Progress | None = None
    _task: TaskID | None = None
    _score: str = ""
    _reported: str = ""
    _before: float = 0.0
    _drawn: float = 0.0
    _widths: Mapping[str, int] = field(default_factory=dict)

    def step(self, step: int, epoch: float, seconds: float) -> None:
        """Refresh the live line after an update, at most ten times a second."""
        now = time.monotonic()
        if self._bar is None or now - self._drawn < SECONDS_A_DRAWING:
            return
        self._drawn = now
        share = self.goal.share(step, epoch, seconds)
        self._draw(
            f"step {step}  epoch {epoch:.2f}{self._reported}{self._score}"
            f"{self._left(step, epoch, seconds)}",
            share,
        )

    def update(
        self, step: int, epoch: float, loss: float, tokens_per_second: float, seconds: float
    ) -> None:
        """Show the loss and the speed of the run."""
        self._reported = f"  loss {loss:.3f}  {tokens_per_second:,.0f} tokens/s"
        if self._bar is not None:
            self.step(step, epoch, seconds)
        elif not self.talk.quiet:
            left = self._left(step, epoch, seconds)
            self.talk.say(f"step {step}  epoch {epoch:.2f}{self._reported}  {clock(seconds)}{left}")

    def validating(self, step: int) -> None:
        """Say on the live line that a validation has begun."""
        self._draw(f"validating at step {step}{self._score}")

    def validation(
        self, step: int, epoch: float, seconds: float, scores: Mapping[str, float], *, best: bool
    ) -> None:
        """Print the main scores as a row of a table; headings come before the first row."""
        if not step:
            self._before = seconds
        self._drawn = 0.0  # so that the next update replaces "validating" at once
        if not self._widths:
            names = dict.fromkeys((self.metric, *(name for name in SCORES if name in scores)))
            self._widths = _widths(names, self.talk.stderr.width)
            headings = (f"{name:>{width}}" for name, width in self._widths.items())
            self.talk.say("  ".join((*ROW, *headings)))
        shown = {name: f"{scores[name]:.{self.digits.get(name, DIGITS)}f}" for name in self._widths}
        self._score = f"  {self.metric} {shown[self.metric]}"
        when = (ROW[0], str(step), f"{epoch:.2f}", clock(seconds))
        cells = [f"{cell:>{len(heading)}}" for cell, heading in zip(when, ROW, strict=True)]
        cells += [f"{shown[name]:>{width}}" for name, width in self._widths.items()]
        self.talk.say("  ".join(cells) + BEST * best)

    def _draw(self, description: str, share: float | None = None) -> None:
        """Change the live line, if there is one; its own thread draws it."""
        if self._bar is not None and self._task is not None:
            completed = int(1000 * share) if share is not None else None
            self._bar.update(self._task, description=description, completed=completed)

    def _left(self, step: int, epoch: float, seconds: float) -> str:
        """Return the time left in words, or "" without a limit."""
        # the speed of the whole run, so that it is right from the first update after resuming
        left = self.goal.seconds_left(step, epoch, seconds, self._before)
        return f"  {clock(left)} left" if left is not None else ""


@contextlib.contextmanager
def training_display(
    talk: Talk, goal: Goal, metric: str, digits: Mapping[str, int]
) -> Iterator[TrainingDisplay]:
    """Yield a display; on a terminal it has a live line with the latest `metric`.

    The arguments are those of `TrainingDisplay`.
    """
    if not talk.animated:
        yield TrainingDisplay(talk, goal, metric, digits)
        return
    limited = goal.share(1, 1, 1) is not None
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    columns += [BarColumn(bar_width=20)] if limited else []
    with Progress(*columns, TimeElapsedColumn(), console=talk.stderr, transient=True) as bar:
        task = bar.add_task("starting", total=1000 if limited else None)
        yield TrainingDisplay(talk, goal, metric, digits, bar, task)


def _widths(names: Iterable[str], width: int) -> dict[str, int]:
    """Return the column width of each score that fits; the first score is always shown."""
    left = width - len("  ".join(ROW)) - len(BEST)
    widths: dict[str, int] = {}
    for name in names:
        cells = max(6, len(name))
        if not widths or cells + 2 <= left:
            widths[name] = cells
            left -= cells + 2
    return widths


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, or hours, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

"""Progress of a loop: a bar on a terminal, a plain line every ten seconds elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from s2scli.report.console import Talk

SECONDS_A_LINE = 10.0

Advance = Callable[[int], None]


@contextlib.contextmanager
def counting(
    talk: Talk, doing: str, unit: str = "rows", total: int | None = None
) -> Iterator[Advance]:
    """Show the progress of a loop; yield a function to call with the number of new units.

    Without a terminal, a loop of less than ten seconds prints nothing. With `talk.quiet`, nothing
    is shown at all.

    Args:
        talk: where progress is shown.
        doing: the task, such as "reading".
        unit: what is counted.
        total: the number of units, if known.
    """
    if talk.animated:
        with _bar(talk, total) as bar:
            yield _Moving(bar, doing, unit, total).advance
    else:
        yield _Lines(talk, doing, unit, total).advance


class _Moving:
    """An animated line on a terminal."""

    def __init__(self, bar: Progress, doing: str, unit: str, total: int | None) -> None:
        self._bar, self._doing, self._unit = bar, doing, unit
        self._task = bar.add_task(doing, total=total)

    def advance(self, count: int) -> None:
        self._bar.advance(self._task, count)
        done = self._bar.tasks[self._task].completed
        self._bar.update(self._task, description=f"{self._doing}: {done:,.0f} {self._unit}")


class _Lines:
    """A plain line every ten seconds, in tqdm's format."""

    def __init__(self, talk: Talk, doing: str, unit: str, total: int | None) -> None:
        self._talk, self._doing, self._unit, self._total = talk, doing, unit, total
        self._done = 0
        self._started = self._said = time.monotonic()

    def advance(self, count: int) -> None:
        from tqdm import tqdm

        self._done += count
        now = time.monotonic()
        if now - self._said < SECONDS_A_LINE:
            return
        self._said = now
        seconds, unit = now - self._started, f" {self._unit}"
        line = tqdm.format_meter(
            self._done, self._total, seconds, ncols=0, prefix=self._doing, unit=unit
        )
        self._talk.say(line)


def _bar(talk: Talk, total: int | None) -> Progress:
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    ahead = [BarColumn(bar_width=20), TimeRemainingColumn()] if total else []
    return Progress(*columns, *ahead, console=talk.stderr, transient=True)

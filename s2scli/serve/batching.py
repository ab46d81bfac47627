"""The queue of a model: lines that wait at the same time are translated together.

One thread translates; the engine's own workers share each batch, one per core. The requests take
turns: each gives an equal share of the lines of a batch, so that a short request is answered before
a long one that came first.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from s2scli.data.stream import Line
from s2scli.serve.refusal import RequestError
from s2scli.translation.options import Options
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator

Observe = Callable[[int], None]


@dataclass
class Job:
    """The lines of one request, or a call that takes the place of a batch."""

    lines: Sequence[str]
    options: Options | None
    call: Callable[[], Any] | None = None
    found: dict[int, Record] = field(default_factory=dict)
    missing: deque[int] = field(default_factory=deque)
    future: Future[Any] = field(default_factory=Future)


class BatchingQueue:
    """Translates the lines of concurrent requests in batches.

    Args:
        translator: the model.
        batch_lines: the maximum number of lines in a batch.
        max_waiting: the maximum number of lines that wait.
        cache_lines: the number of lines whose records are kept.
        observe: called with the number of lines of each batch.
    """

    def __init__(
        self,
        translator: Translator,
        batch_lines: int,
        max_waiting: int,
        cache_lines: int = 0,
        observe: Observe = lambda lines: None,
    ) -> None:
        self._translator, self._observe = translator, observe
        self._batch_lines, self._max_waiting = batch_lines, max_waiting
        self._cache: OrderedDict[tuple[str, Options], Record] = OrderedDict()
        self._cache_lines = cache_lines
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """The number of lines and calls that wait."""
        with self._changed:
            return self._count()

    def submit(self, lines: Sequence[str], options: Options) -> Future[list[Record]]:
        """Return the future records of some lines; cancelling it drops the lines that still wait.

        Args:
            lines: the sources.
            options: how to translate them.

        Raises:
            RequestError: too many lines wait (429).
        """
        job = Job(lines, options)
        with self._changed:
            for index, line in enumerate(lines):
                kept = self._kept(line, options)
                if kept:
                    job.found[index] = kept
                else:
                    job.missing.append(index)
            self._add(job)
        return job.future

    def call(self, work: Callable[[], Any]) -> Future[Any]:
        """Return the future result of a function, which runs in turn with the batches.

        Raises:
            RequestError: too many lines wait (429).
        """
        job = Job((), None, work, missing=deque([0]))
        with self._changed:
            self._add(job)
        return job.future

    def close(self) -> None:
        """Wait until all that waits is done, and end the thread; nothing more is accepted."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _add(self, job: Job) -> None:
        if not job.missing:
            job.future.set_result([job.found[index] for index in range(len(job.lines))])
            return
        waiting = self._count()
        if waiting + len(job.missing) > self._max_waiting:
            raise RequestError(
                429,
                f"max_waiting: {waiting:,} lines wait already, and at most {self._max_waiting:,} "
                "may wait here; try again later",
            )
        self._jobs.append(job)
        self._changed.notify()

    def _count(self) -> int:
        return sum(len(job.missing) for job in self._jobs if not job.future.done())

    def _work(self) -> None:
        while batch := self._next():
            if batch[0][0].call:
                _run(batch[0][0])
            else:
                self._translate(batch)

    def _next(self) -> list[tuple[Job, list[int]]]:
        """Wait for the next batch: jobs with the same options, and some indices of each.

        It is empty at the end.
        """
        with self._changed:
            while True:
                self._jobs = deque(job for job in self._jobs if not job.future.done())
                if self._jobs:
                    return self._take()
                if self._closed:
                    return []
                self._changed.wait()

    def _take(self) -> list[tuple[Job, list[int]]]:
        first = self._jobs[0]
        together = [job for job in self._jobs if job.options == first.options and not job.call]
        together = together[: self._batch_lines] if first.call is None else [first]
        batch = [(job, list[int]()) for job in together]
        room = self._batch_lines
        while room and (open_jobs := [pair for pair in batch if pair[0].missing]):
            share = max(1, room // len(open_jobs))
            for job, indices in open_jobs[:room]:
                taken = [job.missing.popleft() for _ in range(min(share, len(job.missing)))]
                indices += taken
                room -= len(taken)
        chosen = {id(job) for job in together}
        rest = [job for job in self._jobs if id(job) not in chosen]
        self._jobs = deque([*rest, *(job for job in together if job.missing)])
        return batch

    def _translate(self, batch: Sequence[tuple[Job, list[int]]]) -> None:
        options = batch[0][0].options
        asked = [(job, index) for job, indices in batch for index in indices]
        lines = [
            Line("the request", number, job.lines[index])
            for number, (job, index) in enumerate(asked, 1)
        ]
        try:
            records = list(self._translator.translate(lines, options))
        except Exception as error:  # noqa: BLE001 - the requests get it, and the queue goes on
            for job, _ in batch:
                self._fail(job, error)
            return
        self._observe(len(lines))
        for (job, index), record in zip(asked, records, strict=True):
            job.found[index] = record
        self._keep(records, options)
        for job, _ in batch:
            if len(job.found) == len(job.lines) and job.future.set_running_or_notify_cancel():
                job.future.set_result([job.found[index] for index in range(len(job.lines))])

    def _fail(self, job: Job, error: Exception) -> None:
        with self._changed:
            job.missing.clear()
        if job.future.set_running_or_notify_cancel():
            job.future.set_exception(error)

    def _kept(self, line: str, options: Options) -> Record | None:
        """Return the record of a line that was kept; a recording or a picture never is."""
        if type(line) is not str:
            return None
        kept = self._cache.get((line, options))
        if kept:
            self._cache.move_to_end((line, options))
        return kept

    def _keep(self, records: Sequence[Record], options: Options | None) -> None:
        """Keep records; attention weights are too large to keep."""
        if not self._cache_lines or options is None or options.wanted.attention:
            return
        with self._changed:
            for record in records:
                if record.status == "ok" and type(record.line.text) is str:
                    self._cache[record.line.text, options] = record
            while len(self._cache) > self._cache_lines:
                self._cache.popitem(last=False)


def _run(job: Job) -> None:
    """Run a call."""
    assert job.call
    if not job.future.set_running_or_notify_cancel():
        return
    try:
        job.future.set_result(job.call())
    except Exception as error:  # noqa: BLE001 - the request gets it, and the queue goes on
        job.future.set_exception(error)

"""Runs the same tasks in this process, in several processes, or on the machines of a Dask cluster.

A task is a function of a module and one argument, and writes its result to a file, so it can be
run again when its process was killed.
"""

import contextlib
import itertools
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol, TypeVar

from s2scli.errors import LostProcessError, S2SError, StorageError
from s2scli.files import FILES, storage_errors
from s2scli.model.kernels.allocation import return_freed_memory
from s2scli.report.console import Talk

Item = TypeVar("Item")
Result = TypeVar("Result")
Yielded = TypeVar("Yielded", covariant=True)

MAX_RESTARTS = 3
FEW = 4  # so many tasks take less time than it takes to start processes
TASKS_AHEAD = 2  # for each worker, so that none waits


class Workers(Protocol):
    """Who runs tasks."""

    def map(
        self, task: Callable[[Item], Result], items: Iterable[Item], talk: Talk
    ) -> Iterator[Result]:
        """Yield the results of a task in the order of its arguments.

        If `items` raises an error, the results of those before it come first.

        Args:
            task: a function of a module. Called again with the same argument, it does the same.
            items: its arguments; only a few are taken ahead.
            talk: says which workers were lost.

        Raises:
            LostProcessError: workers are killed again and again.
        """
        ...


class ThisProcess:
    """Runs tasks one after the other, here."""

    def map(
        self, task: Callable[[Item], Result], items: Iterable[Item], talk: Talk
    ) -> Iterator[Result]:
        """See `Workers`."""
        return map(task, items)


THIS_PROCESS = ThisProcess()


@dataclass(frozen=True)
class Processes:
    """Runs tasks in several processes of this machine; a few tasks are run here.

    When this process ends, in whatever way, the others end at once.

    Attributes:
        count: the number of processes.
    """

    count: int

    def map(
        self, task: Callable[[Item], Result], items: Iterable[Item], talk: Talk
    ) -> Iterator[Result]:
        """See `Workers`."""
        ahead = HeldErrors(items)
        few = list(itertools.islice(ahead, FEW if self.count > 1 else 0))
        rest = itertools.chain(few, ahead)
        if len(few) < FEW:
            yield from map(task, rest)
        else:
            yield from self._spread(task, rest, talk)
        ahead.reraise()

    def _spread(
        self, task: Callable[[Item], Result], items: Iterator[Item], talk: Talk
    ) -> Iterator[Result]:
        """Yield the results of processes; when one was killed, its tasks are run again."""
        waiting: deque[Item] = deque()
        for restart in range(MAX_RESTARTS + 1):
            if restart:
                talk.warn(
                    "a worker process was killed; its work is done again "
                    f"(restart {restart} of {MAX_RESTARTS})"
                )
            with contextlib.suppress(BrokenProcessPool):
                yield from self._attempt(task, items, waiting)
                return
        raise LostProcessError(
            f"a worker process was killed {MAX_RESTARTS + 1} times: is there enough memory for "
            f"{self.count} (--workers)? The same command goes on where this one stopped"
        )

    def _attempt(
        self, task: Callable[[Item], Result], items: Iterator[Item], waiting: deque[Item]
    ) -> Iterator[Result]:
        """Yield the results of one pool of processes; `in_order` explains `waiting`."""
        with _pool(self.count) as pool:
            yield from in_order(lambda item: pool.submit(task, item), items, self.ahead, waiting)

    @property
    def ahead(self) -> int:
        """The number of tasks to submit before the first result is there."""
        return TASKS_AHEAD * self.count


class Submitted(Protocol[Yielded]):
    """A task that was submitted: a future of the standard library, or of Dask."""

    def result(self) -> Yielded:
        """Wait for its result."""
        ...


def in_order(
    submit: Callable[[Item], Submitted[Result]],
    items: Iterator[Item],
    ahead: int,
    waiting: deque[Item],
) -> Iterator[Result]:
    """Submit a task for each item, and yield their results in order.

    Args:
        submit: submits the task of an item.
        items: the items.
        ahead: the number of tasks to submit before the first result is there.
        waiting: the items that were submitted before without a result; later, those of this call.
    """
    futures = deque(map(submit, waiting))
    while True:
        for item in itertools.islice(items, ahead - len(waiting)):
            waiting.append(item)
            futures.append(submit(item))
        if not futures:
            return
        result = futures.popleft().result()
        waiting.popleft()
        yield result


class HeldErrors(Iterator[Item]):
    """Yields items; an error of theirs ends them, and is raised when it is their turn."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._error: Exception | None = None

    def __next__(self) -> Item:
        if self._error is None:
            try:
                return next(self._items)
            except StopIteration:
                raise
            except Exception as error:  # noqa: BLE001 - raised again by `reraise`
                self._error = error
        raise StopIteration

    def reraise(self) -> None:
        """Raise the error that ended the items, if there was one."""
        if self._error is not None:
            raise self._error


@contextlib.contextmanager
def kept_shards(folder: Path) -> Iterator[Path]:
    """Create a folder for finished shards; remove it when the block ends.

    It is kept if the same command can go on with them: the run was stopped, lost its workers or
    could not write.
    """
    try:
        with storage_errors(folder):
            FILES.make_folder(folder)
        yield folder
    except S2SError as error:
        if not isinstance(error, LostProcessError | StorageError):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()  # if there is none yet
        raise
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes, which end at once when the block does or this process is killed.

    The processes hold one end of a pipe. The system closes the other one, even if this process is
    killed.
    """
    return_freed_memory()
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, context, _begin, (theirs,))
    try:
        yield pool
    except BaseException:
        ours.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        ours.close()
        theirs.close()


def _begin(alive: Connection) -> None:
    """Prepare a process: it ends with its parent, which alone handles signals."""
    return_freed_memory()
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()


def _end_with(alive: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        alive.recv_bytes()
    os._exit(1)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def local_workers(count: int | None) -> Workers:
    """Return who runs tasks on this machine.

    Args:
        count: the number of processes; None is one for each core.
    """
    count = count or cores()
    return THIS_PROCESS if count == 1 else Processes(count)

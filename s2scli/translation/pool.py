"""Threads that search batches side by side, for any number of callers at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from s2scli.search.loop import Notice

Batch = TypeVar("Batch")
Found = TypeVar("Found")

MAX_WORKERS = 8  # batches in memory at once
_STARTING = threading.Lock()


class SearchPool:
    """A fixed number of workers, each of which searches one batch at a time.

    A worker per core, each with its own batch, is faster than one batch whose operations all
    cores share. The workers start at the first call and live as long as the pool.

    Args:
        threads: threads to compute with.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.workers = max(1, min(threads, MAX_WORKERS))
        self._executor: ThreadPoolExecutor | None = None

    def __reduce__(self) -> tuple[type["SearchPool"], tuple[int]]:
        """Copy the pool without its threads."""
        return SearchPool, (self.threads,)

    def map(self, work: Callable[[Batch, Notice], Found], batches: Sequence[Batch]) -> list[Found]:
        """Return what the work makes of each batch, in order.

        Few batches are searched one after the other by the caller's thread, with all threads. If
        one fails, or the caller is interrupted, the caller's other batches end too.

        Args:
            work: searches a batch; it calls its second argument now and then, which raises if
                there is no use in going on.
            batches: the ones that take longest first.
        """
        if 2 * len(batches) <= self.workers or self.workers == 1:
            return [work(batch, _never) for batch in batches]
        stopped = threading.Event()

        def check() -> None:
            if stopped.is_set():
                raise CancelledError

        executor = self._started()
        futures = [executor.submit(work, batch, check) for batch in batches]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stopped.set()
            for future in futures:
                future.cancel()
            wait(futures)
            raise

    def _started(self) -> ThreadPoolExecutor:
        """Return the workers, and start them at the first call."""
        with _STARTING:
            if self._executor is None:
                self._executor = _start(self.workers, self.threads // self.workers)
            return self._executor


def _start(workers: int, share: int) -> ThreadPoolExecutor:
    """Start workers that compute with `share` threads each.

    torch.set_num_threads sets the count of the thread that calls it, and that of every thread that
    computes for the first time later. So all workers set theirs now, and then this thread sets its
    own again.
    """
    before = torch.get_num_threads()
    together = threading.Barrier(workers)

    def begin() -> None:
        torch.set_num_threads(share)
        together.wait()  # so that each worker is a thread of its own

    executor = ThreadPoolExecutor(workers, "search")
    try:
        wait([executor.submit(begin) for _ in range(workers)])
    finally:
        torch.set_num_threads(before)
    return executor


def _never() -> None:
    """Go on."""

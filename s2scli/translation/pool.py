"""Threads that search batches in parallel, for any number of concurrent callers."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from s2scli.search.loop import Notice

Batch = TypeVar("Batch")
Found = TypeVar("Found")

MAX_WORKERS = 8  # each holds a batch in memory
WAKE_SECONDS = 0.2
_STARTING = threading.Lock()


class SearchPool:
    """A fixed number of workers, each of which searches one batch at a time.

    One worker per core, each with its own batch, is faster than sharing the operations of one batch
    among all cores. The workers live as long as the pool.

    Args:
        threads: the number of threads to compute with.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.workers = max(1, min(threads, MAX_WORKERS))
        share = threads // self.workers
        self._executor = _start(self.workers, share) if self.workers > 1 else None

    def __reduce__(self) -> tuple[type["SearchPool"], tuple[int]]:
        """Copy and pickle the pool without its threads."""
        return SearchPool, (self.threads,)

    def map(self, work: Callable[[Batch, Notice], Found], batches: Sequence[Batch]) -> list[Found]:
        """Return the result of `work` for each batch, in order.

        If there are few batches, the calling thread searches them one after the other, with all
        threads. If a batch fails or the caller is interrupted, the caller's other batches are
        stopped too.

        Args:
            work: searches a batch. It must call its second argument regularly, which raises an
                error to stop the search.
            batches: the batches, the slowest first.
        """
        if 2 * len(batches) <= self.workers or self._executor is None:
            return [work(batch, _never) for batch in batches]
        stopped = threading.Event()

        def check() -> None:
            if stopped.is_set():
                raise CancelledError

        futures: list[Future[Found]] = []
        try:
            for batch in batches:
                futures.append(self._executor.submit(work, batch, check))
            _wait(futures)
        except BaseException:
            stopped.set()
            for future in futures:
                future.cancel()
            wait(futures)
            raise
        return [future.result() for future in futures]


def _wait(futures: Sequence[Future[Found]]) -> None:
    """Wait until all are done, or raise the error of the first that failed.

    Each wait is short, because a signal that arrives just before a wait is handled only after it.
    """
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=WAKE_SECONDS, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()


def _start(workers: int, share: int) -> ThreadPoolExecutor:
    """Start workers that compute with `share` threads each.

    `torch.set_num_threads` sets the thread count of the calling thread, and of all threads that
    compute for the first time later. So every worker sets its count here, and then the calling
    thread restores its own.
    """
    together = threading.Barrier(workers)

    def begin() -> None:
        torch.get_num_threads()  # otherwise the first product resets the count
        torch.set_num_threads(share)
        together.wait()  # keeps each thread busy until all have started

    executor = ThreadPoolExecutor(workers, "search")
    with _STARTING:
        before = torch.get_num_threads()
        try:
            wait([executor.submit(begin) for _ in range(workers)])
        finally:
            torch.set_num_threads(before)
    return executor


def _never() -> None:
    """Do not stop the search."""

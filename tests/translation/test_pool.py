"""Batches go side by side, for any number of callers, and that changes no thread count."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from s2scli.translation.pool import MAX_WORKERS, SearchPool

Check = Callable[[], None]


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def squared(number: int, _: Check) -> int:
    return number * number


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_batches(threads: int) -> None:
    assert SearchPool(threads).map(squared, range(20)) == [n * n for n in range(20)]
    assert SearchPool(threads).map(squared, []) == []


def test_each_worker_searches_a_batch_by_itself() -> None:
    seen: set[str] = set()
    together = threading.Barrier(2)

    def work(number: int, _: Check) -> int:
        if threading.current_thread().name not in seen:
            seen.add(threading.current_thread().name)
            together.wait(timeout=60)
        return torch.get_num_threads()

    torch.set_num_threads(2)
    assert SearchPool(2).map(work, range(8)) == [1] * 8
    assert seen == {"search_0", "search_1"}
    assert torch.get_num_threads() == 2


def test_few_batches_have_all_threads_of_the_caller() -> None:
    def work(number: int, _: Check) -> tuple[int, str]:
        return torch.get_num_threads(), threading.current_thread().name

    torch.set_num_threads(4)
    assert SearchPool(4).map(work, range(2)) == [(4, "MainThread")] * 2
    assert all(name != "MainThread" for _, name in SearchPool(4).map(work, range(3)))


def test_threads_of_others_compute_with_as_many_threads_as_before() -> None:
    """Also in threads that begin while batches are searched."""
    torch.set_num_threads(3)
    pool, seen = SearchPool(3), []

    def work(number: int, _: Check) -> None:
        time.sleep(0.01)

    with ThreadPoolExecutor(1) as other:
        running = other.submit(pool.map, work, range(30))
        while not running.done():
            thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
            thread.start()
            thread.join()
    assert set(seen) == {3}
    assert torch.get_num_threads() == 3


def test_callers_at_once_each_get_their_own_results() -> None:
    torch.set_num_threads(2)
    pool = SearchPool(2)

    def call(first: int) -> list[tuple[int, int]]:
        def work(number: int, _: Check) -> tuple[int, int]:
            return number, torch.get_num_threads()

        return pool.map(work, range(first, first + 10))

    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(call, range(0, 200, 10)))
    assert found == [[(n, 1) for n in range(first, first + 10)] for first in range(0, 200, 10)]


def test_a_failure_is_raised_and_ends_the_callers_other_batches() -> None:
    pool, ended = SearchPool(2), []

    def work(number: int, check: Check) -> None:
        if number == 0:
            raise RuntimeError("no memory")
        for _ in range(400):
            check()
            time.sleep(0.01)
        ended.append(number)

    with pytest.raises(RuntimeError, match="no memory"):
        pool.map(work, range(6))
    assert not ended
    assert pool.map(squared, range(4)) == [0, 1, 4, 9], "the workers go on with other calls"


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interruption_ends_the_batches_that_are_searched() -> None:
    ended = []

    def work(number: int, check: Check) -> int:
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        for _ in range(400):
            check()
            time.sleep(0.05)
        ended.append(number)
        return number

    with pytest.raises(KeyboardInterrupt):
        SearchPool(2).map(work, range(3))
    assert not ended


@pytest.mark.parametrize("threads", [8, 100])
def test_so_many_batches_are_in_memory_at_most(threads: int) -> None:
    seen: set[str] = set()
    together = threading.Barrier(MAX_WORKERS)

    def work(number: int, _: Check) -> int:
        seen.add(threading.current_thread().name)
        together.wait(timeout=60)
        return number

    batches = range(2 * MAX_WORKERS)
    assert SearchPool(threads).map(work, batches) == list(batches)
    assert len(seen) == MAX_WORKERS

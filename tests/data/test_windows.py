import queue
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.windows import gather


class Schedule:
    """A source whose items come at known times, and the clock that goes with it."""

    def __init__(self, arrivals: Sequence[tuple[float, str]], end: BaseException | None = None):
        self.now = 0.0
        self._arrivals: Iterator[tuple[float, str | None]] = iter([*arrivals, (0.0, None)])
        self._next = next(self._arrivals)
        self._end = end

    def clock(self) -> float:
        return self.now

    def get(self, block: bool = True, timeout: float | None = None) -> str | None:
        arrival, item = self._next
        if timeout is not None and arrival > self.now + timeout:
            self.now += timeout
            raise queue.Empty
        self.now = max(self.now, arrival)
        if item is None:
            if self._end:
                raise self._end
            return None
        self._next = next(self._arrivals)
        return item


def windows(source: Schedule, size: int = 100, max_wait: float = 5) -> Iterator[list[str]]:
    return gather(
        source, size=size, max_wait=max_wait, max_weight=10, weigh=len, clock=source.clock
    )


@given(
    st.lists(st.tuples(st.floats(0, 9), st.text("x", max_size=6))),
    st.integers(1, 5),
    st.floats(0, 20),
)
def test_every_item_comes_once_in_order_and_none_too_late(
    steps: list[tuple[float, str]], size: int, max_wait: float
) -> None:
    times = list(accumulate(wait for wait, _ in steps))
    items = [item for _, item in steps]
    source = Schedule(list(zip(times, items, strict=True)))
    done = 0
    for window in windows(source, size, max_wait):
        assert items[done : done + len(window)] == window != []
        assert len(window) <= size
        assert sum(map(len, window[:-1])) < 10
        assert source.now <= times[done] + max_wait + 1e-9
        done += len(window)
    assert done == len(items)


def test_a_window_ends_when_it_is_full_or_heavy_or_old() -> None:
    arrivals = [(0, "a"), (0, "b"), (0, "c"), (0, "long" * 3), (0, "d"), (4, "e"), (6, "f")]
    assert list(windows(Schedule(arrivals), size=3)) == [
        ["a", "b", "c"],
        ["long" * 3],
        ["d", "e"],
        ["f"],
    ]


def test_what_is_there_is_taken_even_without_waiting() -> None:
    assert list(windows(Schedule([(0, "a"), (0, "b"), (1, "c")]), max_wait=0)) == [
        ["a", "b"],
        ["c"],
    ]


def test_items_come_before_the_error_that_follows_them() -> None:
    found = windows(Schedule([(0, "a"), (0, "b")], end=OSError("gone")))
    assert next(found) == ["a", "b"]
    with pytest.raises(OSError, match="gone"):
        next(found)


def test_requests_of_many_threads_are_gathered_from_a_queue() -> None:
    requests: queue.Queue[int | None] = queue.Queue()
    clients = [threading.Thread(target=requests.put, args=(number,)) for number in range(40)]
    found = gather(requests, size=8, max_wait=0.05)
    for client in clients:
        client.start()
    served: list[int] = []
    while len(served) < len(clients):
        window = next(found)
        assert len(window) <= 8
        served += window
    assert sorted(served) == list(range(40))
    started = time.monotonic()
    requests.put(40)
    assert next(found) == [40]
    assert time.monotonic() - started < 5
    requests.put(None)
    assert list(found) == []

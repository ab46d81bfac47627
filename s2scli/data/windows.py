"""Windows: groups of items that arrive one by one and are processed together."""

import queue
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Source(Protocol[Item_co]):
    """A source of items, such as a `queue.Queue`."""

    def get(self, block: bool = True, timeout: float | None = None) -> Item_co:
        """Wait for the next item and return it.

        Args:
            block: always True here.
            timeout: the maximum time to wait, in seconds; None waits forever.

        Raises:
            queue.Empty: nothing arrived in time.
        """
        ...


def gather(
    source: Source[Item | None],
    *,
    size: int,
    max_wait: float,
    max_weight: float = float("inf"),
    weigh: Callable[[Item], float] = lambda item: 0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[Item]]:
    """Yield the items of a source in non-empty windows, in order.

    A window ends when it is full, when its first item has waited for `max_wait` seconds, or when
    the source ends. Items that have already arrived are added even after that time. If `get` raises
    an error, the items before it are yielded first.

    Args:
        source: the source of the items; it returns None at the end.
        size: the maximum number of items in a window.
        max_wait: how long the first item of a window waits for others, in seconds.
        max_weight: a window is also full when its total weight reaches this value.
        weigh: returns the weight of an item.
        clock: returns the current time in seconds.
    """
    ended, fault = False, None
    while not ended:
        window: list[Item] = []
        weight, deadline = 0.0, None
        while len(window) < size and weight < max_weight:
            try:
                item = source.get(timeout=None if deadline is None else max(0, deadline - clock()))
            except queue.Empty:
                break
            except Exception as error:  # noqa: BLE001 - raised again below
                item, fault = None, error
            if item is None:
                ended = True
                break
            deadline = clock() + max_wait if deadline is None else deadline
            window.append(item)
            weight += weigh(item)
        if window:
            yield window
    if fault:
        raise fault

"""Windows: items that arrive one by one, gathered to be processed together."""

import queue
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Source(Protocol[Item_co]):
    """A source of items; a `queue.Queue` is one."""

    def get(self, block: bool = True, timeout: float | None = None) -> Item_co:
        """Wait for the next item and return it.

        Args:
            block: always True here.
            timeout: how long to wait, in seconds; None waits for ever.

        Raises:
            queue.Empty: nothing has arrived in time.
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
    """Yield the items of a source in windows, in order, none of them empty.

    A window ends when it is full, when its first item has waited for `max_wait`, and when the
    source ends. Items that have already arrived are taken even after that time. If `get` fails, the
    items before the failure are yielded first.

    Args:
        source: where the items come from; None is its end.
        size: the maximum number of items in a window.
        max_wait: how long the first item of a window waits for others, in seconds.
        max_weight: a window of this weight is full too.
        weigh: the weight of an item.
        clock: the current time in seconds.
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

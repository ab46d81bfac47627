"""The processes that train together, as one object.

The training loop calls it wherever processes must agree, add up numbers, or let one of them write.
Each process holds the whole model and reads its share of every batch; `Progress` is the same in
all of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import nn

from s2scli.data.batching import Rows

Number = TypeVar("Number", int, float)


class World(Protocol):
    """The processes of a run; every method is called by all of them, in the same order."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        ...

    @property
    def size(self) -> int:
        """How many processes there are."""
        ...

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and reports."""
        ...

    def share(self, rows: Rows) -> Rows:
        """Return the rows of a batch that this process reads, [rows]; each is read by one."""
        ...

    def sum(self, number: Number) -> Number:
        """Return the sum of the processes' numbers."""
        ...

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes."""
        ...

    def agree(self, number: int) -> int:
        """Return the largest of the processes' numbers: all do what one of them asks for."""
        ...

    def broadcast(self, number: float) -> float:
        """Return the first process's number."""
        ...

    def once(self, action: Callable[[], None]) -> None:
        """Run `action` in the first process only, while the others wait.

        An `S2SError` of the action is raised in every process.
        """
        ...

    def separate_seeds(self) -> None:
        """Let each process draw its own random numbers (dropout) from here on.

        Until then their generators have the same state; the first process keeps it.
        """
        ...

    def barrier(self) -> None:
        """Wait for all processes."""
        ...


@dataclass(frozen=True)
class OneProcess:
    """The world of one process: nothing to wait for, and nothing to share."""

    rank: int = 0
    size: int = 1
    is_first: bool = True

    def share(self, rows: Rows) -> Rows:
        """Return all rows."""
        return rows

    def sum(self, number: Number) -> Number:
        """Return the number."""
        return number

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Leave the gradients as they are."""

    def agree(self, number: int) -> int:
        """Return the number."""
        return number

    def broadcast(self, number: float) -> float:
        """Return the number."""
        return number

    def once(self, action: Callable[[], None]) -> None:
        """Run `action`."""
        action()

    def separate_seeds(self) -> None:
        """Keep the generators as they are."""

    def barrier(self) -> None:
        """Return at once."""


ALONE = OneProcess()

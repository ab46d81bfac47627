"""Which processes train together: one object that says who we are, and decides with the others.

The loop asks it wherever processes must agree, add up, or leave the writing to one of them. Each
process holds the whole model and sees its share of every batch; `Progress` is the same in all.
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
        """Return the largest of the processes' numbers: what one asks for, all do."""
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

        Up to here their generators are in one state; the first process keeps it.
        """
        ...

    def barrier(self) -> None:
        """Wait for all processes."""
        ...


@dataclass(frozen=True)
class OneProcess:
    """The world of one process: it has nobody to wait for, and everything is its own."""

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
        """Wait for nobody."""


ALONE = OneProcess()

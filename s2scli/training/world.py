"""Distributed training: the processes that train together, as one object.

The training loop calls its methods to agree on a decision, to sum numbers, or to let one process
write files. Each process holds the whole model and reads its share of every batch. `Progress` is
the same in all processes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import nn

from s2scli.data.batching import Rows

Number = TypeVar("Number", int, float)


class World(Protocol):
    """The processes of a run. All processes must call its methods in the same order."""

    @property
    def rank(self) -> int:
        """The index of this process, from 0."""
        ...

    @property
    def size(self) -> int:
        """The number of processes."""
        ...

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and reports."""
        ...

    def share(self, rows: Rows) -> Rows:
        """Return the rows of a batch that this process reads, [rows]; no row is read twice."""
        ...

    def sum(self, number: Number) -> Number:
        """Return the sum of `number` over all processes."""
        ...

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes."""
        ...

    def agree(self, number: int) -> int:
        """Return the maximum of `number` over all processes.

        A request that one process received, such as a signal, thus reaches all of them.
        """
        ...

    def broadcast(self, number: float) -> float:
        """Return the `number` of the first process."""
        ...

    def gather(self, values: Sequence[Any]) -> list[Any]:
        """Return the values of all processes, in the order of the processes.

        Args:
            values: what JSON can hold.
        """
        ...

    def once(self, action: Callable[[], None]) -> None:
        """Run `action` in the first process only, while the others wait.

        If it raises an `S2SError`, every process raises it.
        """
        ...

    def separate_seeds(self) -> None:
        """Give each process its own random state, for dropout, from now on.

        Until then, all processes have the same state; the first process keeps it.
        """
        ...

    def barrier(self) -> None:
        """Wait for all processes."""
        ...


@dataclass(frozen=True)
class OneProcess:
    """Training in a single process: there is nothing to share or to wait for."""

    rank: int = 0
    size: int = 1
    is_first: bool = True

    def share(self, rows: Rows) -> Rows:
        """Return all rows of the batch."""
        return rows

    def sum(self, number: Number) -> Number:
        """Return `number` unchanged."""
        return number

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Leave the gradients unchanged."""

    def agree(self, number: int) -> int:
        """Return `number` unchanged."""
        return number

    def broadcast(self, number: float) -> float:
        """Return `number` unchanged."""
        return number

    def gather(self, values: Sequence[Any]) -> list[Any]:
        """Return `values` as a list."""
        return list(values)

    def once(self, action: Callable[[], None]) -> None:
        """Run `action`."""
        action()

    def separate_seeds(self) -> None:
        """Leave the random state unchanged."""

    def barrier(self) -> None:
        """Return immediately."""


ALONE = OneProcess()

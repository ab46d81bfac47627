"""Distributed training: the processes that train together, as one object.

The training loop calls its methods to agree on a decision, to sum numbers, or to let one process
write files. Each process holds the whole model and reads its share of every batch. `Progress` is
the same in all processes.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from s2scli.data.batching import Lengths, Rows

Number = TypeVar("Number", int, float)
Value = TypeVar("Value")


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

    @property
    def launch(self) -> str:
        """The call of the launcher that started the processes, even if it restarts them; or ""."""
        ...

    def device(self, device: torch.device) -> torch.device:
        """Return the device this process uses when the user asks for `device`.

        Raises:
            ConfigError: there are fewer GPUs than processes on this machine.
        """
        ...

    def share(self, rows: Rows, lengths: Lengths) -> Rows:
        """Return the rows of a batch that this process reads, [rows]; no row is read twice.

        Every process gets about the same number of tokens; a small batch may leave some without.

        Args:
            rows: the rows of the batch, [rows].
            lengths: the number of tokens in each row, [rows].
        """
        ...

    def sum(self, number: Number) -> Number:
        """Return the sum of `number` over all processes."""
        ...

    def overlapped(self, parameters: Iterable[nn.Parameter]) -> AbstractContextManager[None]:
        """Start to sum gradients during the last backward pass of an update, the block."""
        ...

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes."""
        ...

    def average(self, statistics: Sequence[Tensor], weight: int) -> None:
        """Replace each tensor, such as a running mean, by its weighted mean over the processes.

        Args:
            statistics: the tensors.
            weight: the weight of this process; if all weights are 0, nothing changes.
        """
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

    def once(self, action: Callable[[], object]) -> None:
        """Run `action` in the first process only, while the others wait.

        If it raises an `S2SError`, every process raises it.
        """
        ...

    def first(self, action: Callable[[], Value]) -> Value:
        """Return the result of `action`, which the first process runs before the others do.

        If it raises an `S2SError` in the first process, every process raises it.
        """
        ...

    def choose(self, first: Value, others: Value) -> Value:
        """Return `first` in the first process and `others` elsewhere."""
        ...

    def separate_seeds(self, seed: int, step: int) -> None:
        """Give each process its own random state, for the dropout of update `step`.

        The first process keeps its state.
        """
        ...

    def separate(self, seed: Sequence[int]) -> Sequence[int]:
        """Return a seed that differs between the processes; the first process keeps `seed`."""
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
    launch: str = ""

    def device(self, device: torch.device) -> torch.device:
        """Return `device`."""
        return device

    def share(self, rows: Rows, lengths: Lengths) -> Rows:
        """Return all rows of the batch."""
        return rows

    def sum(self, number: Number) -> Number:
        """Return `number` unchanged."""
        return number

    def overlapped(self, parameters: Iterable[nn.Parameter]) -> AbstractContextManager[None]:
        """Do nothing."""
        return contextlib.nullcontext()

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Leave the gradients unchanged."""

    def average(self, statistics: Sequence[Tensor], weight: int) -> None:
        """Leave the tensors unchanged."""

    def agree(self, number: int) -> int:
        """Return `number` unchanged."""
        return number

    def broadcast(self, number: float) -> float:
        """Return `number` unchanged."""
        return number

    def gather(self, values: Sequence[Any]) -> list[Any]:
        """Return the values."""
        return list(values)

    def once(self, action: Callable[[], object]) -> None:
        """Run `action`."""
        action()

    def first(self, action: Callable[[], Value]) -> Value:
        """Return the result of `action`."""
        return action()

    def choose(self, first: Value, others: Value) -> Value:
        """Return `first`."""
        return first

    def separate_seeds(self, seed: int, step: int) -> None:
        """Leave the random state unchanged."""

    def separate(self, seed: Sequence[int]) -> Sequence[int]:
        """Return `seed`."""
        return seed

    def barrier(self) -> None:
        """Return immediately."""


ALONE = OneProcess()

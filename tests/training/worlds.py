"""Several processes in one: threads that meet wherever the loop asks its world."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from s2scli.data.batching import Lengths, Rows
from s2scli.errors import S2SError
from s2scli.training.world import Number, World

SECONDS = 20  # longer than any thread waits in a test that passes
Found = TypeVar("Found")


class Meeting:
    """Where the members of a world put what they have, and take what all have."""

    def __init__(self, size: int) -> None:
        self.barrier, self.slots = threading.Barrier(size, timeout=SECONDS), [None] * size

    def exchange(self, rank: int, value: Any) -> list[Any]:
        """Return the values of all members, by rank."""
        self.slots[rank] = value
        self.barrier.wait()
        found = list(self.slots)
        self.barrier.wait()
        return found


@dataclass
class Member:
    """One of the processes of a world; it records what it was asked."""

    rank: int
    size: int
    launch: str = field(default="", init=False)
    meeting: Meeting
    calls: list[str] = field(default_factory=list)

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def device(self, device: torch.device) -> torch.device:
        return device

    def share(self, rows: Rows, lengths: Lengths) -> Rows:
        return rows[self.rank :: self.size]

    def sum(self, number: Number) -> Number:
        numbers: list[Number] = self._exchange("sum", number)
        return sum(numbers[1:], numbers[0])

    def overlapped(self, parameters: Iterable[nn.Parameter]) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        own = [parameter.grad for parameter in parameters if parameter.grad is not None]
        all_gradients = self._exchange("sum_gradients", [gradient.clone() for gradient in own])
        for gradient, several in zip(own, zip(*all_gradients, strict=True), strict=True):
            gradient.copy_(torch.stack(several).sum(0))

    def average(self, statistics: Sequence[Tensor], weight: int) -> None:
        everyone = self._exchange("average", [each.detach().clone() for each in statistics])
        for each, several in zip(statistics, zip(*everyone, strict=True), strict=True):
            each.detach().copy_(torch.stack(several).mean(0))

    def agree(self, number: int) -> int:
        numbers: list[int] = self._exchange("agree", number)
        return max(numbers)

    def broadcast(self, number: float) -> float:
        return float(self._exchange("broadcast", number)[0])

    def gather(self, values: Sequence[Any]) -> list[Any]:
        return [value for each in self._exchange("gather", values) for value in each]

    def first(self, action: Callable[[], Found]) -> Found:
        self.once(lambda: None)
        return action()

    def choose(self, first: Found, others: Found) -> Found:
        return first if self.is_first else others

    def once(self, action: Callable[[], object]) -> None:
        fault = None
        if self.is_first:
            try:
                action()
            except S2SError as error:
                fault = error
        (first, *_) = self._exchange("once", fault)
        if first:
            raise first

    def separate_seeds(self, seed: int, step: int) -> None:
        """Threads share one generator."""

    def separate(self, seed: Sequence[int]) -> Sequence[int]:
        return [*seed, self.rank]

    def barrier(self) -> None:
        self._exchange("barrier", None)

    def _exchange(self, name: str, value: Any) -> list[Any]:
        self.calls.append(name)
        return self.meeting.exchange(self.rank, value)


def together(size: int, work: Callable[[World], Found]) -> Sequence[Found]:
    """Let the members of a world work side by side; return what each came to, by rank.

    The error of a member is raised, and ends the others.
    """
    meeting = Meeting(size)

    def guarded(rank: int) -> Found:
        try:
            return work(Member(rank, size, meeting))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return [future.result() for future in [pool.submit(guarded, r) for r in range(size)]]

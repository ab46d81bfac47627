"""Several members of a gloo group as threads of one process, for quick tests of real reductions."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist
from torch._C._distributed_c10d import HashStore, Store

from s2scli.training.distributed import Distributed

Found = TypeVar("Found")
PATIENCE = timedelta(seconds=20)  # longer than any member waits in a test that passes


def connected(size: int, work: Callable[[Distributed], Found]) -> Sequence[Found]:
    """Let the members of a group work side by side; return what each came to, by rank."""
    store = HashStore()

    def member(rank: int) -> Found:
        with _group(store, rank, size) as group:
            return work(Distributed(group, "test", rank))

    with ThreadPoolExecutor(size) as pool:
        return [future.result() for future in [pool.submit(member, r) for r in range(size)]]


@contextlib.contextmanager
def _group(store: Store, rank: int, size: int) -> Iterator[Any]:
    group = dist.ProcessGroupGloo(store, rank, size, PATIENCE)
    try:
        yield group
    finally:
        group.shutdown()

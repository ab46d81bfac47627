"""Several processes that train together, connected by `torch.distributed`.

Each holds the whole model. The launcher (`s2s train --processes`, or torchrun) tells them through
environment variables who they are.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from s2scli import errors
from s2scli.data.batching import Lengths, Rows
from s2scli.errors import ConfigError, LostProcessError, S2SError
from s2scli.training.gradient_sums import GradientSums, Wait
from s2scli.training.world import ALONE, Number, Value, World

PATIENCE = timedelta(hours=2)  # the longest wait for a process that is alive
PATIENCE_AT_THE_END = timedelta(seconds=10)
PR_SET_PDEATHSIG = 1
LAUNCHED = "S2S_LAUNCHED"  # the variable set by a launcher that says itself which process ended


def is_one_of_several(variables: Mapping[str, str]) -> bool:
    """Return whether a launcher started this process as one of several.

    Args:
        variables: the environment variables.
    """
    size = variables.get("WORLD_SIZE", "1")
    return "RANK" in variables and size.isdecimal() and int(size) > 1


@contextlib.contextmanager
def joined(variables: Mapping[str, str]) -> Iterator[World]:
    """Connect the processes of a launcher; without one, this process is alone.

    A failure that several processes have is reported by one: the others raise an error with the
    same exit status and no message.

    Args:
        variables: the environment variables.

    Raises:
        LostProcessError: another process ended or never came.
    """
    if not is_one_of_several(variables):
        yield ALONE
        return
    _end_with_launcher(variables)
    if "OMP_NUM_THREADS" not in variables:
        local = int(variables.get("LOCAL_WORLD_SIZE", "1"))
        torch.set_num_threads(max(1, torch.get_num_threads() // local))
    launch = f"{variables.get('TORCHELASTIC_RUN_ID', '')}-{_launcher()}"
    local_rank = int(variables.get("LOCAL_RANK", "0"))
    try:
        with _connection():
            group = _connect(variables)
        yield Distributed(group, launch=launch, local_rank=local_rank)
    except S2SError as error:
        known = LAUNCHED in variables and isinstance(error, LostProcessError)
        if known or _is_reported(error):
            raise _without_message(error) from error
        raise
    _leave_together()
    dist.destroy_process_group()


def _connect(variables: Mapping[str, str]) -> dist.ProcessGroup:
    """Connect this process to the others.

    The launcher keeps the store when it starts all again, so every start has keys of its own;
    otherwise a process might call one of the last start.
    """
    store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
    own = PrefixStore(f"s2s/{variables.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=PATIENCE)
    group = dist.group.WORLD
    assert group is not None
    return group


def _leave_together() -> None:
    """Wait until all have done everything, as one that ends early cuts what others still read."""
    with contextlib.suppress(RuntimeError):  # the store has ended with a process that was done
        store = dist.distributed_c10d._get_default_store()
        if store.add("done", 1) == dist.get_world_size():
            store.set("all done", "")
        store.wait(["all done"], PATIENCE_AT_THE_END)


def _launcher() -> str:
    """Return what no other process of this machine has: the launcher's id and when it started."""
    launcher = os.getppid()
    try:  # proc(5): field 22, and field 3 is the first after the name
        fields = Path(f"/proc/{launcher}/stat").read_text(errors="replace").rpartition(")")[2]
        return f"{launcher}-{fields.split()[19]}"
    except (OSError, IndexError):  # not Linux
        return str(launcher)


def _end_with_launcher(variables: Mapping[str, str]) -> None:
    """Ask for SIGTERM when the launcher dies, so that the run is saved and ends (Linux)."""
    if sys.platform == "linux" and "TORCHELASTIC_RUN_ID" in variables:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_reported(error: S2SError) -> bool:
    """Return whether another process reports the same error; from now on, this one does."""
    with contextlib.suppress(RuntimeError, ValueError):  # the store is gone, or there was none
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add(f"error: {error}", 1) > 1)
    return False


def _without_message(error: S2SError) -> S2SError:
    """Return an error with the same exit status that prints nothing."""
    silent = S2SError("")
    silent.exit_status = error.exit_status
    return silent


@contextlib.contextmanager
def _connection() -> Iterator[None]:
    """Turn a failure of torch.distributed in the block into a `LostProcessError`."""
    try:
        yield
    except RuntimeError as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LostProcessError(
            f"lost the connection to another process of this run ({why:.200}); its own message "
            "says why it ended; rerun the same command without --restart to resume"
        ) from error


class Distributed:
    """One of the processes of a group.

    Args:
        group: the group.
        launch: the call of the launcher that started the processes.
        local_rank: the index of this process among those on its machine.
    """

    def __init__(self, group: dist.ProcessGroup, launch: str = "", local_rank: int = 0) -> None:
        self.group, self.launch, self.local_rank = group, launch, local_rank
        self.rank, self.size = group.rank(), group.size()
        self._sums: GradientSums | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and reports."""
        return self.rank == 0

    def device(self, device: torch.device) -> torch.device:
        """Return the GPU with the index of this process on its machine, or the CPU."""
        if device.type != "cuda":
            return device
        gpus = torch.cuda.device_count()
        if device.index is not None or self.local_rank >= gpus:
            raise ConfigError(
                f"--device {device} for several processes, and {gpus} GPUs on this machine: every "
                "process needs a GPU of its own; start at most one process per GPU with --device "
                "cuda, or use --device cpu"
            )
        mine = torch.device("cuda", self.local_rank)
        torch.cuda.set_device(mine)
        return mine

    def share(self, rows: Rows, lengths: Lengths) -> Rows:
        """Deal the rows out, longest first and in alternating directions, and return one hand."""
        order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
        turn, place = np.divmod(np.arange(len(rows)), self.size)
        owner = np.where(turn % 2, self.size - 1 - place, place)
        own: Rows = rows[np.sort(order[owner == self.rank])]
        return own

    def sum(self, number: Number) -> Number:
        """Return the sum of `number` over all processes, the same in each to the last bit."""
        return type(number)(self._reduce(number, dist.ReduceOp.SUM))

    def agree(self, number: int) -> int:
        """Return the maximum of `number` over all processes."""
        return int(self._reduce(int(number), dist.ReduceOp.MAX))

    def broadcast(self, number: float) -> float:
        """Return the `number` of the first process."""
        tensor = torch.tensor([number], dtype=torch.float64)
        with _connection():
            self.group.broadcast(tensor, 0).wait()
        return float(tensor)

    def overlapped(self, parameters: Iterable[nn.Parameter]) -> AbstractContextManager[None]:
        """Start to sum gradients during the last backward pass of an update, the block."""
        return self._sums_of(parameters).overlapped()

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes.

        A weight without a gradient in any process keeps none.
        """
        self._sums_of(parameters).finish()

    def average(self, statistics: Sequence[Tensor], weight: int) -> None:
        """Replace each tensor by its weighted mean over the processes."""
        if not statistics:
            return
        own = torch.cat([each.detach().flatten() for each in statistics])
        sums = torch.cat([own * weight, own.new_tensor([weight])])
        self._start_reduction(sums, dist.ReduceOp.SUM)()
        means = torch.where(sums[-1] > 0, sums[:-1] / sums[-1].clamp(min=1), own)
        parts = torch.split(means, [each.numel() for each in statistics])
        for each, part in zip(statistics, parts, strict=True):
            each.detach().copy_(part.view_as(each))

    def gather(self, values: Sequence[Any]) -> list[Any]:
        """Return the values of all processes, in the order of the processes."""
        return [value for each in self._exchange(list(values)) for value in each]

    def once(self, action: Callable[[], object]) -> None:
        """Run `action` in the first process only, while the others wait."""
        self.first(action if self.is_first else lambda: None)

    def first(self, action: Callable[[], Value]) -> Value:
        """Return the result of `action`, which the first process runs before the others do."""
        if not self.is_first:
            _raise_same(self._exchange(None)[0])
            return action()
        try:
            result = action()
        except S2SError as error:
            self._exchange([type(error).__name__, str(error)])
            raise
        self._exchange(None)
        return result

    def choose(self, first: Value, others: Value) -> Value:
        """Return `first` in the first process and `others` elsewhere."""
        return first if self.is_first else others

    def separate_seeds(self, seed: int, step: int) -> None:
        """Seed the random generators of all processes but the first for update `step`.

        They depend on nothing else, so a checkpoint needs the state of the first process only.
        """
        if not self.is_first:
            sequence = np.random.SeedSequence([seed, step, self.rank])
            torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))

    def separate(self, seed: Sequence[int]) -> Sequence[int]:
        """Return a seed that differs between the processes; the first process keeps `seed`."""
        return seed if self.is_first else [*seed, self.rank]

    def barrier(self) -> None:
        """Wait for all processes."""
        self.sum(0)

    def _reduce(self, number: float, operation: Any) -> float:
        exact = torch.int64 if isinstance(number, int) else torch.float64
        tensor = torch.tensor([number], dtype=exact)
        self._start_reduction(tensor, operation)()
        return tensor.item()

    def _start_reduction(self, tensor: Tensor, operation: Any) -> Wait:
        options = dist.AllreduceOptions()
        options.reduceOp = operation
        with _connection():
            work = self.group.allreduce([tensor], options)
        return lambda: _finish(work)

    def _sums_of(self, parameters: Iterable[nn.Parameter]) -> GradientSums:
        """Return the sums of a model's gradients, prepared at the first call."""
        weights = [each for each in parameters if each.requires_grad]
        if self._sums is None or self._sums.weights[0] is not weights[0]:
            self._sums = GradientSums(
                weights, lambda tensor: self._start_reduction(tensor, dist.ReduceOp.SUM)
            )
        return self._sums

    def _exchange(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank; they travel as JSON."""
        data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = self._gather(torch.tensor([len(data)]), 1)
        longest = int(max(sizes))
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(data)] = data
        texts = zip(self._gather(padded, longest), sizes, strict=True)
        return [json.loads(text[: int(size)].numpy().tobytes()) for text, size in texts]

    def _gather(self, tensor: Tensor, size: int) -> list[Tensor]:
        found = [torch.empty(size, dtype=tensor.dtype) for _ in range(self.size)]
        with _connection():
            self.group.allgather([found], [tensor]).wait()
        return found


def _finish(work: dist.Work) -> None:
    with _connection():
        work.wait()


def _raise_same(fault: Sequence[str] | None) -> None:
    """Raise the error of another process, if there is one."""
    if fault:
        name, message = fault
        raise getattr(errors, name)(message)

"""Start several processes that train together, and say which of them ended early.

This is torch's elastic launcher, the one behind torchrun, for one machine.
"""

import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.distributed.elastic.agent.server import api as agent_api
from torch.distributed.elastic.agent.server.api import RunResult, WorkerGroup, WorkerSpec
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing import api as process_api
from torch.distributed.elastic.rendezvous import RendezvousParameters, registry

from s2scli.errors import LostProcessError
from s2scli.report.console import Talk
from s2scli.training.distributed import LAUNCHED

SECONDS_TO_SAVE = 30  # after a signal to all
SECONDS_TO_END = 10  # after one has ended, when the others cannot save
SECONDS_BETWEEN_LOOKS = 0.1
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
LOST = LostProcessError.exit_status


@dataclass(frozen=True)
class Loss:
    """A process that ended early.

    Attributes:
        rank: its index.
        pid: its process id.
        status: its exit status, or minus the signal that killed it.
    """

    rank: int
    pid: int
    status: int

    @property
    def is_reported(self) -> bool:
        """Whether the process said itself why it ended, with an error that would come again."""
        return self.status > 1 and self.status != LOST

    def describe(self, size: int) -> str:
        """Return a sentence that names the process."""
        if self.status < 0:
            how = f"was killed by {signal.Signals(-self.status).name}"
        else:
            how = f"ended with status {self.status}"
        return f"process {self.rank} of {size} (pid {self.pid}) {how}"


def first_loss(losses: Sequence[Loss]) -> Loss | None:
    """Return the process that ended by itself, not one that only missed another; None if none."""
    return min(losses, key=lambda loss: loss.status == LOST, default=None)


class Agent(LocalElasticAgent):
    """A launcher that names the first process that ended early, and stops the others soon.

    Errors that the processes report themselves do not restart them.
    """

    def __init__(self, spec: WorkerSpec, logs: str, talk: Talk) -> None:
        super().__init__(spec, DefaultLogsSpecs(log_dir=logs), shutdown_timeout=SECONDS_TO_SAVE)
        self.talk = talk
        self.loss: Loss | None = None
        self.patience = SECONDS_TO_SAVE

    def _start_workers(self, worker_group: WorkerGroup) -> dict[int, Any]:
        self.patience = SECONDS_TO_SAVE
        started: dict[int, Any] = super()._start_workers(worker_group)
        return started

    def _shutdown(
        self, death_sig: signal.Signals = signal.SIGTERM, timeout: int = SECONDS_TO_SAVE
    ) -> None:
        """Stop the processes; a second signal during the first wait shortens it."""
        timeout, self.patience = min(timeout, self.patience), SECONDS_TO_END
        super()._shutdown(death_sig, timeout)

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        self.loss = first_loss(self._losses)
        if self.loss:
            if self.loss.is_reported:
                self._remaining_restarts = 0
            elif self._remaining_restarts:
                most = worker_group.spec.max_restarts
                number = most - self._remaining_restarts + 1
                self.talk.warn(
                    f"{self.loss.describe(worker_group.spec.local_world_size)}; all are started "
                    f"again from the last checkpoint (restart {number} of {most})"
                )
            self._shutdown(timeout=SECONDS_TO_END)
        result: RunResult = super()._monitor_workers(worker_group)
        return result

    @property
    def _losses(self) -> Sequence[Loss]:
        """The processes that have ended early."""
        assert isinstance(self._pcontext, process_api.SubprocessContext)
        processes = {rank: each.proc for rank, each in self._pcontext.subprocess_handlers.items()}
        return [
            Loss(rank, process.pid, status)
            for rank, process in processes.items()
            if (status := process.poll())
        ]


def launch(arguments: Sequence[str], processes: int, max_restarts: int, talk: Talk) -> int:
    """Run `s2s` in several processes on this machine until all end; return the exit status.

    Args:
        arguments: the arguments of `s2s`.
        processes: the number of processes.
        max_restarts: how often to start all again after one was killed or crashed.
        talk: says which process ended early.

    Raises:
        LostProcessError: a process was killed or crashed, and no restarts are left.
    """
    for module in (agent_api, process_api):
        module.logger.disabled = True  # `talk` says what matters
    handlers = {name: signal.getsignal(getattr(signal, name)) for name in SIGNALS}
    heeded = [name for name, handler in handlers.items() if handler != signal.SIG_IGN]
    os.environ |= {LAUNCHED: "1", "TORCHELASTIC_SIGNALS_TO_HANDLE": ",".join(heeded)}
    meeting = RendezvousParameters(
        "c10d", "localhost:0", str(uuid.uuid4()), 1, 1, local_addr="localhost"
    )
    spec = WorkerSpec(
        role="s2s",
        local_world_size=processes,
        entrypoint=sys.executable,
        args=("-m", "s2scli", *arguments),
        rdzv_handler=registry.get_rendezvous_handler(meeting),
        max_restarts=max_restarts,
        monitor_interval=SECONDS_BETWEEN_LOOKS,
        local_addr="localhost",
    )
    with tempfile.TemporaryDirectory(prefix="s2s-") as logs:
        agent = Agent(spec, logs, talk)
        try:
            agent.run()
        except SignalException as stop:
            return 128 + stop.sigval
        finally:
            spec.rdzv_handler.shutdown()
            for name in heeded:  # the launcher leaves its own
                signal.signal(getattr(signal, name), handlers[name] or signal.SIG_DFL)
    if agent.loss is None or agent.loss.is_reported:
        return agent.loss.status if agent.loss else 0
    again = f"the same command{' without --restart' * ('--restart' in arguments)}"
    raise LostProcessError(
        f"{agent.loss.describe(processes)}, so the run has ended; rerun {again} to resume"
    )

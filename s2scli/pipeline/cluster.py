"""Runs tasks on the machines of a Dask cluster, which see the same files as this one.

A Dask scheduler runs the code that its clients send: whoever can connect to it can run anything on
its workers. So s2s never starts one, and connects only to the address that it is given.
"""

import contextlib
import functools
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import s2scli
from s2scli.errors import (
    ConfigError,
    LostProcessError,
    MissingExtraError,
    MissingInputError,
    UsageError,
)
from s2scli.files import storage_errors
from s2scli.pipeline.workers import TASKS_AHEAD, HeldErrors, in_order
from s2scli.report.console import Talk

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_SECONDS = 10
MOST_SENT = "100 MB"  # a task with pieces of compressed files is no graph that is too large
ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?[^/\s]+:\d{1,5}")


@dataclass(frozen=True)
class Cluster:
    """Runs tasks on the workers of a Dask scheduler.

    Attributes:
        address: the address of the scheduler, such as tcp://host:8786.
        folder: a folder that the workers must see.
    """

    address: str
    folder: Path

    def map(
        self, task: Callable[[Item], Result], items: Iterable[Item], talk: Talk
    ) -> Iterator[Result]:
        """See `Workers`.

        Raises:
            MissingExtraError: Dask is not installed.
            UsageError: the address is none.
            ConfigError: the scheduler does not answer or has no workers, or a worker has another
                version of s2s.
            MissingInputError: a worker does not see the folder.
            LostProcessError: the scheduler has gone, or workers are killed again and again.
        """
        ahead = HeldErrors(items)
        with _connected(self.address) as client:
            count = _checked_workers(client, self.folder.absolute())
            talk.detail(f"{count} workers of {self.address}")
            with _losses_reported(client, self.address):
                # a key of its own: the file of a result may have gone since another run
                yield from in_order(
                    lambda item: client.submit(task, item, key=f"s2s-{uuid.uuid4().hex}"),
                    ahead,
                    TASKS_AHEAD * count,
                    deque(),
                )
        ahead.reraise()


@contextlib.contextmanager
def _connected(address: str) -> Iterator["Client"]:
    """Connect to a scheduler.

    Raises:
        MissingExtraError: Dask is not installed.
        UsageError: this is no address.
        ConfigError: the scheduler does not answer.
    """
    if not ADDRESS.fullmatch(address):
        raise UsageError(
            f"--dask {address!r:.80}: not an address; expected one such as tcp://host:8786"
        )
    try:
        import dask
        from distributed import Client, client, core
        from distributed.comm import tcp
    except ImportError as error:
        raise MissingExtraError("--dask needs Dask: pip install 's2scli[scale]'") from error
    dask.config.set({"distributed.admin.large-graph-warning-threshold": MOST_SENT})
    for module in (client, core, tcp):
        module.logger.disabled = True  # errors say what matters
    try:
        connected = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ConfigError(
            f"--dask {address}: no scheduler answers within {CONNECT_SECONDS} seconds; start "
            "one with `dask scheduler`, and workers with `dask worker ADDRESS`"
        ) from error
    except (TypeError, ValueError) as error:  # TLS without its files
        raise ConfigError(
            f"--dask {address}: {error}; set distributed.comm.tls in Dask's configuration"
        ) from error
    with connected:
        yield connected


def _checked_workers(client: "Client", folder: Path) -> int:
    """Check that the workers can do what is asked of them; return how many there are.

    Raises:
        ConfigError: there are none, or one has no s2s or another version of it.
        MissingInputError: one does not see the folder.
    """
    with contextlib.suppress(TimeoutError):
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    mark = folder / f".seen-{uuid.uuid4().hex}"
    with storage_errors(mark):
        mark.touch()
    try:
        found: dict[str, Any] = client.run(functools.partial(_look, mark), on_error="return")
    finally:
        mark.unlink()
    if not found:
        raise ConfigError("the scheduler has no workers; start some: `dask worker ADDRESS`")
    for worker, seen in sorted(found.items()):
        if isinstance(seen, Exception):
            raise ConfigError(
                f"worker {worker}: cannot run s2s ({type(seen).__name__}: {seen!s:.100}); install "
                f"s2scli {s2scli.__version__} there"
            )
        version, sees = seen
        if version != s2scli.__version__:
            raise ConfigError(
                f"worker {worker}: has s2scli {version}, and this is {s2scli.__version__}; install "
                "the same version"
            )
        if not sees:
            raise MissingInputError(
                f"worker {worker}: does not see {folder}; it must be on a file system that all "
                "workers share, at the same path"
            )
    return len(found)


def _look(mark: Path) -> tuple[str, bool]:
    """Return the version of s2s here, and whether a file is there."""
    return s2scli.__version__, mark.exists()


@contextlib.contextmanager
def _losses_reported(client: "Client", address: str) -> Iterator[None]:
    """Turn what Dask raises for lost workers, or for a lost scheduler, into one line."""
    from distributed import CancelledError, KilledWorker

    again = "the same command goes on where this one stopped"
    try:
        yield
    except KilledWorker as error:
        lost = getattr(error.last_worker, "address", "unknown")
        raise LostProcessError(
            f"workers were killed again and again, last {lost}: is there enough memory? {again}"
        ) from error
    except (CancelledError, OSError) as error:
        if client.status == "running":
            raise
        raise LostProcessError(f"--dask {address}: the scheduler has gone; {again}") from error

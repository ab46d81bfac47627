"""The web server: listen, answer until a signal comes, and finish what is queued."""

import asyncio
import contextlib
import errno
import os
import select
import socket
from collections.abc import Iterator

import uvicorn

from s2scli.errors import LockedError, UsageError
from s2scli.serve.guard import App, Gate

BACKLOG = 2048
KEEP_ALIVE = 75  # seconds
TICK = 0.05  # seconds between two looks at the gate
LINGER = 0.3  # seconds in which those who have just connected can send their request
MOST_TURNS = 100  # of the event loop, to accept those who have connected


class _Server(uvicorn.Server):
    """A server that leaves signals to the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: the address.
        port: the port; 0 is any free one.

    Raises:
        LockedError: another program listens there.
        UsageError: this computer has no such address, or the port needs more rights.
    """
    where = f"--host {host} --port {port}"
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio sends small packets at once only if the protocol of the socket is named
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _wrong(where, error) from error
    try:
        if os.name == "posix":  # elsewhere it would let two programs listen at once
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise LockedError(
                f"{where}: another program listens there; choose another --port, or 0 for any"
            ) from error
        raise _wrong(where, error) from error
    return listening


def _wrong(where: str, error: OSError) -> UsageError:
    return UsageError(f"{where}: {error.strerror or error}; choose another address")


def address_of(listening: socket.socket) -> str:
    """Return the address of a socket for browsers."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: App, gate: Gate, listening: socket.socket, max_seconds: float) -> None:
    """Answer requests until the gate closes; then finish those that have begun.

    Args:
        app: the application.
        gate: whether requests are accepted; a signal closes it.
        listening: the socket.
        max_seconds: the longest time from a request to its answer.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",  # other levels may quote texts
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(max_seconds) + 1,
        lifespan="off",
    )
    asyncio.run(_run(_Server(config), gate, listening))


async def _run(server: _Server, gate: Gate, listening: socket.socket) -> None:
    serving = asyncio.create_task(server.serve([listening]))
    while not (gate.draining or serving.done()):
        await asyncio.sleep(TICK)
    if server.started and not serving.done():
        await _stop_listening(server, listening)
    server.should_exit = True
    await serving


async def _stop_listening(server: _Server, listening: socket.socket) -> None:
    """Let no one else connect, so that whoever has connected gets an answer, even if a refusal.

    The system connects clients before the server accepts them, and resets those connections when
    the socket is closed. So all of them are accepted first.
    """
    for _ in range(MOST_TURNS):
        if not select.select([listening], [], [], 0)[0]:
            break
        await asyncio.sleep(0)
    for one in server.servers:
        one.close()
    if server.server_state.connections:
        await asyncio.sleep(LINGER)

"""Signals that stop a run after the current update."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
REPEATED = 0.5  # seconds; a launcher that is killed sends SIGTERM once for each of its threads


@dataclass
class StopRequest:
    """The signal that asked the run to stop, or 0, and when it arrived, in seconds."""

    signal: int = 0
    time: float = 0.0


@contextlib.contextmanager
def stop_requests(announce: Callable[[int], None]) -> Iterator[StopRequest]:
    """Catch SIGINT, SIGTERM and SIGHUP inside the block; a second one raises KeyboardInterrupt.

    SIGTERM repeated within half a second counts once. A signal that is already ignored, as under
    `nohup`, stays ignored.

    Args:
        announce: called with the signal's number when the first one arrives. If that interrupts a
            write to the stream that it writes to, Python refuses, and nothing is announced.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread can handle signals
        return

    def handle(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if request.signal == number == signal.SIGTERM and now - request.time < REPEATED:
            return
        if request.signal:
            raise KeyboardInterrupt
        request.signal, request.time = number, now
        with contextlib.suppress(RuntimeError):  # a reentrant call of a stream
            announce(number)

    handled = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

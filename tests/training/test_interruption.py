"""Signals ask a run to stop; a second one stops it at once."""

import functools
import os
import select
import signal
import threading
import time

import pytest

from s2scli.training import interruption
from s2scli.training.interruption import SIGNALS, stop_requests


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_a_request(number: int) -> None:
    announced: list[int] = []
    before = signal.getsignal(number)
    with stop_requests(announced.append) as request:
        assert request.signal == 0
        os.kill(os.getpid(), number)
        assert (request.signal, announced) == (number, [number])
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", SIGNALS)
def test_the_second_signal_interrupts(number: int) -> None:
    announced: list[int] = []
    with pytest.raises(KeyboardInterrupt), stop_requests(announced.append):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), number)
    assert announced == [signal.SIGINT]


def test_a_repeated_signal_to_terminate_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    announced: list[int] = []
    with stop_requests(announced.append):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert announced == [signal.SIGTERM]
    monkeypatch.setattr(interruption, "REPEATED", 0.0)
    with pytest.raises(KeyboardInterrupt), stop_requests(announced.append):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_amid_a_blocked_write_is_a_request() -> None:
    """As on a terminal that is paused: Python refuses to announce it on the same stream."""
    reader, end = os.pipe()
    main = threading.main_thread().ident

    def interrupt() -> None:
        while select.select([], [end], [], 0)[1]:  # until the pipe is full
            time.sleep(0.01)
        signal.pthread_kill(main or 0, signal.SIGTERM)
        while os.read(reader, 1 << 16):
            pass

    thread = threading.Thread(target=interrupt)
    with os.fdopen(end, "w") as stream:
        announce = functools.partial(print, "stopping", file=stream, flush=True)
        with stop_requests(lambda number: announce()) as request:
            thread.start()
            stream.write("x" * 1_000_000)
            stream.flush()
        assert request.signal == signal.SIGTERM
    thread.join()
    os.close(reader)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requests(lambda number: None) as request:
            os.kill(os.getpid(), signal.SIGHUP)
            assert request.signal == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_catches_nothing() -> None:
    seen: list[int] = []

    def work() -> None:
        with stop_requests(seen.append) as request:
            seen.append(request.signal)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0]

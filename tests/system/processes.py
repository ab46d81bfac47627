"""The real program as a process: started, waited for, and put an end to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 240  # longer than anything takes, however busy the machine


def heed_interrupts() -> None:
    """Undo what a shell does to programs in the background: SIGINT is not ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(
    *arguments: str | Path | int,
    workspace: Path,
    prepare: Callable[[], None] = heed_interrupts,
    stderr: int = subprocess.PIPE,
) -> "subprocess.Popen[str]":
    """Start `s2s ARGUMENTS -w WORKSPACE` in one thread.

    Args:
        arguments: of the command line.
        workspace: the workspace.
        prepare: called in the new process before the program.
        stderr: where its talk goes; a pipe that `finish` reads, unless told otherwise.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "s2scli", *map(str, arguments), "-w", str(workspace)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        preexec_fn=prepare,
    )


def wait_for(happened: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait until something has happened; fail if the process ends, or hangs, before."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert process.poll() is None, process.communicate()
        if time.monotonic() > end:
            kill(process)
            raise AssertionError("it did not happen")
        time.sleep(0.01)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Return the exit status, stdout and stderr of a process that ends by itself."""
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out, err


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process that has no say in it."""
    process.kill()
    process.communicate(timeout=SECONDS)

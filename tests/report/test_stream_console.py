"""Losing a message ends no command, losing a result does."""

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest

from s2scli.report.console import Talk
from s2scli.report.progress import Goal, training_display


class Lost(io.StringIO):
    """A stream that cannot be written to."""

    def __init__(self, number: int, *, terminal: bool = False) -> None:
        super().__init__()
        self.number, self.terminal = number, terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        raise OSError(self.number, "nobody is there")


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE, errno.ENOSPC])
def test_talk_goes_on_without_a_listener(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Lost(number))
    talk = Talk(verbose=True)
    for speak in (talk.say, talk.detail, talk.warn):
        speak("is anybody there?")


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE])
def test_a_moving_display_goes_on_without_a_terminal(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Lost(number, terminal=True))
    talk = Talk()
    assert talk.animated
    with training_display(talk, Goal(10, None, None), "loss", {}) as display:
        display.update(1, 0.5, 2.0, 100.0, 1.0)
        display.validation(1, 0.5, 1.0, {"loss": 2.0}, best=True)


def test_a_broken_stdout_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Lost(errno.EPIPE))
    with pytest.raises(BrokenPipeError):
        Talk().show("a table")


def say_to_a_broken_pipe(command: str, stream: str) -> int:
    """Run some Python with a stream whose reader has gone; return the exit status."""
    program = f"from s2scli.report.console import Talk; talk = Talk(); {command}"
    process = subprocess.Popen(
        [sys.executable, "-c", f"input(); {program}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if stream == "stdout" else None,
        stderr=subprocess.PIPE if stream == "stderr" else subprocess.DEVNULL,
        cwd=Path(__file__).parent,
    )
    reader = process.stdout or process.stderr
    assert reader is not None and process.stdin is not None
    reader.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    return process.wait(60)


def test_lost_talk_does_not_change_the_exit_status() -> None:
    assert say_to_a_broken_pipe("talk.say('one'); talk.say('two')", "stderr") == 0
    assert say_to_a_broken_pipe("talk.show('one')", "stdout") != 0

"""Several processes are started, watched and named; tests/system/test_processes.py kills them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s2scli.errors import LostProcessError
from s2scli.pipeline.processes import SIGNALS, Loss, first_loss, launch
from s2scli.report.console import Talk
from s2scli.training.distributed import LAUNCHED

SHELL = "import os, signal, sys, time; first = os.environ['RANK'] == '0'; "
RESTARTS = "int(os.environ['TORCHELASTIC_RESTART_COUNT'])"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `python -m s2scli SCRIPT` run a script, and leave the signals and variables alone."""
    real = subprocess.Popen.__init__

    def start(self: object, args: tuple[str, ...], **options: object) -> None:
        assert args[:3] == (sys.executable, "-m", "s2scli")
        real(self, [sys.executable, "-S", "-c", args[3]], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess.Popen, "__init__", start)
    monkeypatch.setenv(LAUNCHED, "")
    monkeypatch.setenv("TORCHELASTIC_SIGNALS_TO_HANDLE", "")


@pytest.mark.usefixtures("script")
class TestLaunch:
    """What becomes of the processes, and of the launcher."""

    def test_all_end_well(self) -> None:
        before = [signal.getsignal(getattr(signal, name)) for name in SIGNALS]
        assert launch([SHELL + f"assert os.environ['{LAUNCHED}']"], 2, 0, Talk.silent()) == 0
        assert [signal.getsignal(getattr(signal, name)) for name in SIGNALS] == before

    def test_an_error_that_a_process_reports_is_passed_on_without_a_restart(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = "sys.exit(65) if first else time.sleep(60)"
        assert launch([SHELL + code], 2, 3, Talk()) == 65
        assert capsys.readouterr().err == ""

    def test_nothing_is_left_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert launch([SHELL + "None"], 2, 0, Talk.silent()) == 0
        assert not [*tmp_path.iterdir()]

    def test_the_process_that_was_killed_is_named(self) -> None:
        code = "time.sleep(60) if first else os.kill(os.getpid(), signal.SIGKILL)"
        with pytest.raises(
            LostProcessError, match=r"process 1 of 2 \(pid \d+\) was killed by SIGK"
        ):
            launch([SHELL + code], 2, 0, Talk.silent())

    def test_a_crash_starts_all_again(self, capsys: pytest.CaptureFixture[str]) -> None:
        code = f"sys.exit(1) if not first and {RESTARTS} < 2 else None"
        assert launch([SHELL + code], 2, 2, Talk()) == 0
        told = capsys.readouterr().err
        assert told.count("ended with status 1; all are started again") == 2
        assert "(restart 1 of 2)" in told and "(restart 2 of 2)" in told


def test_a_loss_is_described() -> None:
    assert (
        Loss(1, 42, -signal.SIGTERM).describe(3) == "process 1 of 3 (pid 42) was killed by SIGTERM"
    )
    assert Loss(0, 7, 1).describe(2) == "process 0 of 2 (pid 7) ended with status 1"
    reported = [Loss(0, 7, status).is_reported for status in (-9, 1, 75, 65, 143)]
    assert reported == [False, False, False, True, True]
    missing, killed = Loss(0, 7, 75), Loss(1, 8, -9)
    assert first_loss([missing, killed]) == killed, "the other only missed it"
    assert (first_loss([missing]), first_loss([])) == (missing, None)

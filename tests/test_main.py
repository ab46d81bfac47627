"""The process: how it begins, what it makes of its streams, its terminal and signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from s2scli import __version__
from tests.system.processes import SECONDS, heed_interrupts

PROGRAM = (sys.executable, "-m", "s2scli")


def shell(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the shell, in which `s2s` is the program."""
    return subprocess.run(
        ["sh", "-c", command.replace("s2s", " ".join(PROGRAM), 1)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def test_the_module_is_the_program() -> None:
    result = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == (f"s2s {__version__}\n", "")


@pytest.mark.parametrize(
    ("name", "delays"),
    [
        pytest.param("SIGINT", (0.08, 0.2, 0.5), marks=pytest.mark.gate),
        pytest.param("SIGINT", (0.1, 0.12, 0.16, 0.25, 0.3, 0.4, 0.6), marks=pytest.mark.slow),
        pytest.param("SIGTERM", (0.08, 0.12, 0.16, 0.2, 0.3, 0.6), marks=pytest.mark.slow),
    ],
)
def test_a_signal_at_any_time_of_the_start_leaves_no_traceback(
    name: str, delays: tuple[float, ...]
) -> None:
    number, statuses = getattr(signal, name), set()
    for delay in delays:
        process = subprocess.Popen(
            [*PROGRAM, "inspect", "recipe", "tiny", "--toml"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        time.sleep(delay)
        process.send_signal(number)
        _, told = process.communicate(timeout=SECONDS)
        # on a busy machine Python itself may still be starting, and prints its own traceback
        assert told in ("", "interrupted\n") or "in main" not in told, (delay, told)
        statuses.add(process.returncode)
    assert statuses <= {0, -number, 128 + number}


@pytest.mark.parametrize(
    "words", ["--help", "--version", "translate --help", "inspect recipe tiny --toml"]
)
def test_a_full_disk_as_stdout_is_one_line(words: str) -> None:
    result = shell(f"s2s {words} > /dev/full")
    assert result.returncode == 74
    assert result.stderr == "error: cannot write stdout: No space left on device\n"


@pytest.mark.gate
def test_output_that_nobody_can_read_is_no_success(trained_workspace: Path) -> None:
    for words in (f"translate -w {trained_workspace}", "inspect recipe tiny", "--version"):
        result = shell(f"echo one two | s2s {words} >&-")
        assert result.returncode == 74, words
        assert result.stderr.endswith("error: cannot write stdout: Bad file descriptor\n")


@pytest.mark.gate
def test_a_closed_stdout_without_output_does_no_harm(tmp_path: Path) -> None:
    command = f"s2s inspect attention x -w {tmp_path} -o {tmp_path}/map.html"
    assert shell(f"{command} >&-").stderr == shell(command).stderr


def test_closed_messages_and_a_closed_input_do_no_harm(trained_workspace: Path) -> None:
    result = shell(f"s2s translate -v -w {trained_workspace} <&- 2>&-")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        ("inspect corpus", ["1"]),
        pytest.param("inspect training", ["19"], marks=pytest.mark.slow),
        pytest.param("inspect attention 'one two'", ["0"], marks=pytest.mark.slow),
        ("evaluate --no-such-flag", ["0"]),
        pytest.param("evaluate --no-such-flag", ["1", "19"], marks=pytest.mark.slow),
        pytest.param("evaluate -m nowhere", ["0", "1", "19"], marks=pytest.mark.slow),
    ],
)
def test_a_terminal_of_no_width_has_twenty_columns(
    trained_workspace: Path, words: str, columns: list[str]
) -> None:
    command = f"s2s {words} -w {trained_workspace}"
    twenty = shell(command, COLUMNS="20")
    for width in columns:
        narrow = shell(command, COLUMNS=width)
        assert narrow.stdout == twenty.stdout and narrow.returncode == twenty.returncode, words
        assert narrow.stderr == twenty.stderr
        assert "bug" not in narrow.stderr
        assert narrow.stdout.strip() or narrow.stderr.strip()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_during_an_import_ends_the_command_after_it(name: str, tmp_path: Path) -> None:
    """An exception in the import of a C++ library would become an abort."""
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\n"
        f"os.kill(os.getpid(), signal.{name})\n"
        "time.sleep(0.2)\n"
        "print('imported')\n"
    )
    program = (
        "import signal, sys, time\n"
        "from s2scli.__main__ import _end\n"
        "received = []\n"
        f"number = signal.{name}\n"
        "signal.signal(number, lambda number, frame: _end(number, frame, received))\n"
        "try:\n"
        "    import slow\n"
        "    time.sleep(30)\n"
        "except (KeyboardInterrupt, SystemExit) as end:\n"
        "    print(type(end).__name__, received == [number])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment,
        preexec_fn=heed_interrupts,
    )
    end = "KeyboardInterrupt" if name == "SIGINT" else "SystemExit"
    assert (result.stdout, result.stderr) == (f"imported\n{end} True\n", "")


COLLECTION = """
import gc
from s2scli.__main__ import START_OBJECTS, _put_off_collection

usual, garbage = gc.get_threshold(), []
garbage.append(garbage)
del garbage
gc.collect()
before = gc.get_stats()[0]["collections"]
_put_off_collection()
held = [[] for _ in range(START_OBJECTS - 1000)]
assert gc.get_stats()[0]["collections"] == before
held += [[] for _ in range(1500)]
assert gc.get_stats()[0]["collections"] == before + 1
assert gc.get_freeze_count() > START_OBJECTS
assert gc.get_threshold() == usual and not gc.callbacks
for _ in range(10 * usual[0]):
    later = []
    later.append(later)
assert gc.get_stats()[0]["collections"] > before + 1
"""


def test_the_first_garbage_is_looked_for_after_the_start() -> None:
    subprocess.run([sys.executable, "-c", COLLECTION], check=True, timeout=SECONDS)

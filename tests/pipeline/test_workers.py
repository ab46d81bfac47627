"""Who runs tasks makes no difference to the results, whatever happens to the processes."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from s2scli.errors import CorpusError, LostProcessError, StorageError
from s2scli.pipeline.workers import (
    FEW,
    MAX_RESTARTS,
    THIS_PROCESS,
    HeldErrors,
    Processes,
    Workers,
    cores,
    kept_shards,
    local_workers,
)
from s2scli.report.console import Talk

QUIET = Talk(quiet=True)
BOTH = pytest.mark.parametrize("workers", [THIS_PROCESS, Processes(2)], ids=["here", "processes"])


def square(number: int) -> int:
    return number * number


def refuse_seven(number: int) -> int:
    if number == 7:
        raise CorpusError("a.tsv, line 7: a bad line")
    return number


def die_once(mark: Path) -> str:
    """End the process the first time; say so the next time."""
    if mark.name == "dies" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mark.name


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_long(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def then_fail(count: int) -> Iterator[int]:
    yield from range(count)
    raise CorpusError("a.tsv: damaged")


@BOTH
@pytest.mark.parametrize("count", [0, 1, FEW, 40])
def test_results_come_in_the_order_of_the_items(workers: Workers, count: int) -> None:
    assert list(workers.map(square, range(count), QUIET)) == [n * n for n in range(count)]


@BOTH
def test_an_error_of_the_items_comes_after_the_results_before_it(workers: Workers) -> None:
    found = []
    with pytest.raises(CorpusError, match="damaged"):
        for result in workers.map(square, then_fail(9), QUIET):
            found.append(result)
    assert found == [n * n for n in range(9)]


@BOTH
def test_the_error_of_a_task_is_that_of_the_first_that_fails(workers: Workers) -> None:
    with pytest.raises(CorpusError, match="line 7: a bad line"):
        list(workers.map(refuse_seven, range(20), QUIET))


def test_only_a_few_items_are_taken_ahead() -> None:
    taken = itertools.count()
    workers = Processes(2)
    results = iter(workers.map(square, (next(taken) for _ in range(100)), QUIET))
    assert next(results) == 0
    assert next(taken) <= workers.ahead + FEW


def test_the_work_of_a_killed_process_is_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [*"abcde", "dies", *"fghij"]
    marks = [tmp_path / name for name in names]
    assert list(Processes(2).map(die_once, marks, Talk(quiet=True))) == names
    said = f"a worker process was killed; its work is done again (restart 1 of {MAX_RESTARTS})"
    assert said in " ".join(capsys.readouterr().err.split())


def test_processes_that_are_killed_again_and_again_end_the_run() -> None:
    with pytest.raises(LostProcessError, match=r"killed 4 times: is there enough memory for 2 \("):
        list(Processes(2).map(die, range(10), Talk.silent()))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_running(tmp_path: Path, number: signal.Signals) -> None:
    program = f"""
import pathlib
from tests.pipeline.test_workers import *
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    list(Processes(2).map(wait_long, [pathlib.Path({str(tmp_path)!r})] * 9, QUIET))
"""
    script = tmp_path / "script.py"
    script.write_text(program)
    pids: list[int] = []
    command = [sys.executable, str(script)]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=paths) as run:
        deadline = time.monotonic() + 120
        while len(pids) < 2:
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.05)
            pids = [int(path.name) for path in tmp_path.iterdir() if path.name.isdecimal()]
        run.send_signal(number)
        run.wait(60)
    deadline = time.monotonic() + 60
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and is waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_errors_that_are_held_are_raised_in_their_turn() -> None:
    held = HeldErrors(then_fail(3))
    assert list(held) == [0, 1, 2]
    assert list(held) == []
    with pytest.raises(CorpusError, match="damaged"):
        held.reraise()
    fine = HeldErrors([1])
    assert list(fine) == [1]
    fine.reraise()


def test_by_default_there_is_a_process_for_each_core() -> None:
    assert local_workers(1) == THIS_PROCESS
    assert local_workers(3) == Processes(3)
    assert local_workers(None) == (Processes(cores()) if cores() > 1 else THIS_PROCESS)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (LostProcessError("killed"), True),
        (StorageError("the disk is full"), True),
        (KeyboardInterrupt(), True),
        (CorpusError("a bad line"), False),
    ],
)
def test_shards_are_kept_if_the_same_command_can_go_on(
    tmp_path: Path, error: BaseException, kept: bool
) -> None:
    folder = tmp_path / "shards"
    with pytest.raises(type(error)), kept_shards(folder):
        (folder / "a").touch()
        raise error
    assert folder.exists() is kept
    with kept_shards(folder):
        pass
    assert not folder.exists()


def test_no_empty_folder_is_left(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), kept_shards(tmp_path / "shards"):
        raise KeyboardInterrupt
    assert not (tmp_path / "shards").exists()

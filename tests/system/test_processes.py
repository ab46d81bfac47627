"""Real processes that train together: killed, signalled, stopped and started again."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from s2scli.training.checkpoint import newest_checkpoint
from tests.system.processes import finish, start, wait_for
from tests.system.test_kill import digests, log_of, logged

STEPS = 48
RUN = (
    *("train", "--recipe", "tiny", "--device", "cpu", "--max-steps", str(STEPS)),
    *("--set", "training.save_every=8"),
    *("--set", "training.validate_every=16"),
    *("--set", "training.log_every=4"),
    *("--set", "training.source_token_dropout=0.1"),
    *("--set", "model.encoder.dropout=0.1"),
    *("--set", "training.ema_decay=0.9"),
    *("--set", "training.average_checkpoints=2"),
)
TWO = (*RUN, "--processes", "2")
SECONDS_TO_END = 30


@pytest.fixture(scope="module")
def uninterrupted(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a run of two processes that nothing disturbed."""
    root = tmp_path_factory.mktemp("whole") / "workspace"
    shutil.copytree(untrained, root)
    status, _, err = finish(start(*TWO, workspace=root))
    assert status == 0, err
    return root


def assert_same_run(root: Path, other: Path) -> None:
    assert log_of(root) == log_of(other)
    assert digests(root) == digests(other)


def children(parent: int) -> dict[int, int]:
    """Return the process ids of the processes that a launcher started, by rank."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ranks = {}
    for pid in map(int, found):
        with contextlib.suppress(OSError):  # it has just ended
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            rank = next((each for each in variables if each.startswith(b"RANK=")), b"")
            if rank:
                ranks[int(rank.removeprefix(b"RANK="))] = pid
    return ranks


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pids: Sequence[int], seconds: float = SECONDS_TO_END) -> bool:
    """Wait until all processes have ended; return whether they did."""
    end = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(is_alive, pids))


@pytest.mark.gate
def test_two_processes_train_validate_and_report_as_one(workspace: Path) -> None:
    short = ("--max-steps", "12", "--json")
    status, out, err = finish(start(*TWO, *short, workspace=workspace))
    assert status == 0, err
    report = json.loads(out)
    assert (report["step"], report["limit"]) == (12, "max_steps")
    assert err.count("validation       12 ") == 1
    assert [each["step"] for each in log_of(workspace)] == [0, 4, 8, 12, 12]
    checkpoint, _ = newest_checkpoint(workspace / "training")
    assert checkpoint is not None
    assert checkpoint.machine["processes"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_run_with_a_line_that_names_it(
    workspace: Path, uninterrupted: Path, rank: int
) -> None:
    process = start(*TWO, workspace=workspace)
    wait_for(lambda: logged(workspace) > 6, process)
    ranks = children(process.pid)
    os.kill(ranks[rank], signal.SIGKILL)
    killed = time.monotonic()
    status, out, err = finish(process)
    assert time.monotonic() - killed < SECONDS_TO_END
    assert (status, out) == (75, "")
    assert err.splitlines()[-1] == (
        f"error: process {rank} of 2 (pid {ranks[rank]}) was killed by SIGKILL, so the run has "
        "ended; rerun the same command to resume"
    )
    assert err.count("error") == 1 and "Traceback" not in err
    assert not any(map(is_alive, ranks.values()))
    status, _, err = finish(start(*TWO, workspace=workspace))
    assert status == 0, err
    assert err.count("resuming from step") == 1
    assert_same_run(workspace, uninterrupted)


@pytest.mark.slow
def test_killed_processes_are_started_again(workspace: Path, uninterrupted: Path) -> None:
    """A restart does not remove the run again, although the command line says --restart."""
    options = ("--max-restarts", "2", "--restart")
    process = start(*TWO, *options, workspace=workspace)
    for number, rank in enumerate((1, 0), 1):
        wait_for(lambda lines=6 * number - 3: logged(workspace) > lines, process)  # type: ignore[misc]
        pid = children(process.pid)[rank]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: pid not in children(process.pid).values(), process)  # type: ignore[misc]
        wait_for(lambda: len(children(process.pid)) == 2, process)
    status, _, err = finish(process)
    assert status == 0, err
    for number, rank in enumerate((1, 0), 1):
        assert f"warning: process {rank} of 2 (pid " in err
        assert f"all are started again from the last checkpoint (restart {number} of 2)" in err
    assert err.count("resuming from step") == 2
    assert_same_run(workspace, uninterrupted)


@pytest.mark.slow
def test_a_signal_saves_and_the_same_command_goes_on(workspace: Path, uninterrupted: Path) -> None:
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = logged(workspace)
        process = start(*TWO, workspace=workspace)
        wait_for(lambda before=before: logged(workspace) > before + 1, process)  # type: ignore[misc]
        process.send_signal(number)
        found, out, err = finish(process)
        assert (found, out) == (status, ""), err
        assert err.count("stopping after this update; interrupt again to stop at once") == 1
        assert err.count("saved; rerun the same command to resume") == 1
        assert "Traceback" not in err
    status, _, err = finish(start(*TWO, workspace=workspace))
    assert status == 0, err
    assert_same_run(workspace, uninterrupted)


@pytest.mark.slow
def test_a_second_interrupt_stops_at_once(workspace: Path) -> None:
    process = start(*TWO, workspace=workspace)
    wait_for(lambda: logged(workspace) > 2, process)
    ranks = children(process.pid)
    os.kill(ranks[1], signal.SIGSTOP)  # so that no update can end
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    stopped = time.monotonic()
    status, _, err = finish(process)
    assert status == 130
    assert time.monotonic() - stopped < SECONDS_TO_END
    assert "Traceback" not in err
    assert ends([*ranks.values()])


@pytest.mark.slow
def test_without_its_launcher_a_run_is_saved_and_ends(workspace: Path, uninterrupted: Path) -> None:
    process = start(*TWO, workspace=workspace)
    wait_for(lambda: logged(workspace) > 6, process)
    ranks = children(process.pid)
    process.kill()
    assert ends([*ranks.values()])
    _, err = process.communicate()
    assert err.splitlines()[-1] == "saved; rerun the same command to resume"
    status, _, err = finish(start(*TWO, workspace=workspace))
    assert status == 0, err
    assert_same_run(workspace, uninterrupted)


@pytest.mark.slow
def test_a_process_that_comes_back_slowly_is_waited_for(
    workspace: Path, uninterrupted: Path
) -> None:
    process = start(*TWO, workspace=workspace)
    wait_for(lambda: logged(workspace) > 4, process)
    rank = children(process.pid)[1]
    os.kill(rank, signal.SIGSTOP)
    time.sleep(5)
    os.kill(rank, signal.SIGCONT)
    status, _, err = finish(process)
    assert status == 0, err
    assert_same_run(workspace, uninterrupted)


@pytest.mark.slow
def test_another_number_goes_on_at_the_same_place(workspace: Path) -> None:
    assert finish(start(*TWO, "--max-steps", "20", workspace=workspace))[0] == 0
    status, _, err = finish(start(*RUN, "--max-steps", "32", workspace=workspace))
    assert status == 0
    assert "the run so far used processes 2, now it is 1: training continues" in err
    checkpoint, _ = newest_checkpoint(workspace / "training")
    assert checkpoint is not None
    assert (checkpoint.progress.epoch, checkpoint.progress.batch) == (0, 32)
    updates = [each["step"] for each in log_of(workspace) if each["kind"] == "update"]
    assert updates == list(range(4, 33, 4))
    status, _, err = finish(start(*TWO, workspace=workspace))
    assert status == 0
    assert err.count("the run so far used processes 1, now it is 2") == 1


def torchrun(
    workspace: Path, *options: str, arguments: Sequence[str] = RUN
) -> "subprocess.Popen[str]":
    """Start `torchrun OPTIONS -m s2scli ARGUMENTS`."""
    launcher = [sys.executable, "-m", "torch.distributed.run", *options]
    return subprocess.Popen(
        [*launcher, "-m", "s2scli", *arguments, "-w", str(workspace)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_torchrun_does_the_same(workspace: Path, uninterrupted: Path) -> None:
    process = torchrun(workspace, "--standalone", "--nproc-per-node", "2")
    status, _, err = finish(process)
    assert status == 0, err
    assert err.count("validation       48") == 1
    assert_same_run(workspace, uninterrupted)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port: int = listener.getsockname()[1]
        return port


def two_hosts(workspace: Path, restarts: int = 0) -> list["subprocess.Popen[str]"]:
    """Start two launchers that meet on this machine, with one process each."""
    options = (
        *("--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d"),
        *("--rdzv-endpoint", f"localhost:{free_port()}", "--rdzv-id", "test"),
        *("--local-addr", "localhost", "--max-restarts", str(restarts)),
    )
    return [torchrun(workspace, *options) for _ in range(2)]


@pytest.mark.slow
def test_two_hosts_do_the_same(workspace: Path, uninterrupted: Path) -> None:
    for process in two_hosts(workspace):
        status, _, err = finish(process)
        assert status == 0, err
    assert_same_run(workspace, uninterrupted)


@pytest.mark.slow
def test_a_host_that_is_lost_ends_the_run_saved(workspace: Path, uninterrupted: Path) -> None:
    hosts = two_hosts(workspace)
    wait_for(lambda: logged(workspace) > 6, hosts[0])
    workers = [pid for host in hosts for pid in children(host.pid).values()]
    hosts[1].kill()
    assert ends(workers)
    for host in hosts:
        host.kill()
        host.communicate()
    status, _, err = finish(start(*TWO, workspace=workspace))
    assert status == 0, err
    assert_same_run(workspace, uninterrupted)


@pytest.mark.slow
def test_a_mistake_is_reported_once(workspace: Path) -> None:
    status, out, err = finish(start(*TWO, "--set", "model.encoder.dropout=2", workspace=workspace))
    assert (status, out) == (78, "")
    assert err.count("error: ") == 1
    options = ("--standalone", "--nproc-per-node", "2")
    wrong = (*RUN, "--init-from", str(workspace / "nowhere"))
    process = torchrun(workspace, *options, arguments=wrong)
    status, _, err = finish(process)
    assert status
    assert err.count("no model here") == 1, err

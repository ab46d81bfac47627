"""The real program, killed and signalled at any moment, loses nothing that it has written."""

import hashlib
import json
import os
import pty
import random
import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from s2scli.manifest import verify_folder
from s2scli.training.checkpoint import list_checkpoints, newest_checkpoint
from tests.system.processes import finish, heed_interrupts, kill, start, wait_for
from tests.toy import write_corpus

RUN = (
    *("train", "--recipe", "tiny", "--device", "cpu"),
    *("--set", "training.save_every=20"),
    *("--set", "training.validate_every=40"),
    *("--set", "training.log_every=10"),
    *("--set", "model.encoder.dropout=0.1"),
    *("--set", "training.ema_decay=0.9"),
    *("--set", "training.average_checkpoints=2"),
    "--max-steps",
)
STEPS = 120
WALL_CLOCK = ("seconds", "tokens_per_second", "busy_cores", "peak_memory_mb")


@pytest.fixture(scope="module")
def uninterrupted(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a run that nothing disturbed."""
    root = tmp_path_factory.mktemp("whole") / "workspace"
    shutil.copytree(untrained, root)
    status, _, err = finish(start(*RUN, STEPS, workspace=root))
    assert status == 0, err
    return root


def log_of(root: Path) -> list[dict[str, Any]]:
    """Return the records of the log, but for the times."""
    lines = (root / "training" / "metrics.jsonl").read_text().splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [{k: v for k, v in each.items() if k not in WALL_CLOCK} for each in records]


def digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that holds no time."""
    files = [root / "model" / name for name in ("model.safetensors", "recipe.toml")]
    for folder in list_checkpoints(root / "training"):
        files += sorted(folder.glob("*.safetensors"))
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }


def assert_same_run(root: Path, other: Path) -> None:
    log = log_of(root)
    updates = [record["step"] for record in log if record["kind"] == "update"]
    assert updates == list(range(10, STEPS + 1, 10)), "a gap or a duplicate"
    assert log == log_of(other)
    assert digests(root) == digests(other)


def logged(root: Path) -> int:
    """Return the number of whole lines in the log."""
    log = root / "training" / "metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def survives(workspace: Path, uninterrupted: Path, kills: int, seed: int) -> None:
    """Kill a run some times, each after a random share of what is left; finish it, and compare."""
    chance = random.Random(seed)
    for left in range(kills, 0, -1):
        lines = logged(workspace) + chance.randint(0, (15 - logged(workspace)) // left)
        process = start(*RUN, STEPS, workspace=workspace)
        try:
            wait_for((workspace / ".owner.json").exists, process)
            wait_for(lambda lines=lines: logged(workspace) >= lines, process)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.1))
        finally:
            kill(process)
    status, _, err = finish(start(*RUN, STEPS, workspace=workspace))
    assert status == 0, err
    assert_same_run(workspace, uninterrupted)


@pytest.mark.gate
def test_killed_runs_end_like_one_that_was_not(workspace: Path, uninterrupted: Path) -> None:
    survives(workspace, uninterrupted, kills=2, seed=1)


@pytest.mark.slow
def test_twenty_kills(
    untrained: Path, uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds, kills = 5, 4
    for seed in range(rounds):
        root = tmp_path / str(seed)
        shutil.copytree(untrained, root)
        survives(root, uninterrupted, kills, seed + 100)
    with capsys.disabled():
        print(f"\nkills survived: {rounds * kills}/{rounds * kills}")  # noqa: T201


@pytest.mark.gate
def test_a_signal_saves_and_the_same_command_goes_on(workspace: Path, uninterrupted: Path) -> None:
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = logged(workspace)
        process = start(*RUN, STEPS, workspace=workspace)
        wait_for(lambda before=before: logged(workspace) > before + 1, process)  # type: ignore[misc]
        process.send_signal(number)
        found, out, err = finish(process)
        assert (found, out) == (status, ""), err
        assert "stopping after this update; interrupt again to stop at once" in err
        assert "saved; rerun the same command to resume" in err
        assert "Traceback" not in err
    status, _, err = finish(start(*RUN, STEPS, workspace=workspace))
    assert status == 0 and "resuming from step" in err
    assert_same_run(workspace, uninterrupted)


@pytest.mark.gate
def test_a_terminal_that_hangs_up_saves_and_a_reader_that_goes_ends_nothing(
    workspace: Path, uninterrupted: Path
) -> None:
    terminal, end = pty.openpty()
    process = start(*RUN, STEPS, workspace=workspace, stderr=end)
    os.close(end)
    wait_for(lambda: logged(workspace) > 2, process)
    os.close(terminal)
    process.send_signal(signal.SIGHUP)
    assert finish(process)[:2] == (129, "")
    before, (reader, end) = logged(workspace), os.pipe()
    process = start(*RUN, STEPS, workspace=workspace, stderr=end)
    os.close(end)
    os.read(reader, 1)
    os.close(reader)
    assert finish(process)[:2] == (0, "")
    assert logged(workspace) > before + 2, "most of the run had no reader"
    assert_same_run(workspace, uninterrupted)


def test_sigterm_amid_prepare_leaves_nothing_half_written(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.tsv", 10)
    fifo = tmp_path / "endless.tsv"
    os.mkfifo(fifo)
    root = tmp_path / "workspace"
    process = start("prepare", fifo, workspace=root)
    with fifo.open("wb") as writer:
        writer.write(corpus.read_bytes())
        writer.flush()
        wait_for(lambda: (root / ".tmp-corpus").exists(), process)
        process.terminate()
        status, out, err = finish(process)
    assert (status, out) == (143, "") and "Traceback" not in err
    assert [path.name for path in root.iterdir()] == [".lock"]


def ignore_hangups() -> None:
    """Do what `nohup` does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_nohup_is_honoured(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.tsv", 50).read_bytes()
    fifo = tmp_path / "slow.tsv"
    os.mkfifo(fifo)
    root = tmp_path / "workspace"
    process = start("prepare", fifo, workspace=root, prepare=ignore_hangups)
    with fifo.open("wb", buffering=0) as writer:
        writer.write(corpus[:100])
        wait_for((root / ".tmp-corpus").exists, process)
        process.send_signal(signal.SIGHUP)
        writer.write(corpus[100:])
    status, _, err = finish(process)
    assert status == 0, err
    verify_folder(root / "corpus", "corpus")


def limit_file_size() -> None:
    """Let no file of the process grow beyond what the first checkpoint needs."""
    heed_interrupts()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.gate
def test_a_full_disk_ends_in_74_with_the_good_checkpoint_intact(
    uninterrupted: Path, tmp_path: Path
) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(uninterrupted, root)
    before = digests(root)
    process = start(*RUN, STEPS + 50, workspace=root, prepare=limit_file_size)
    status, out, err = finish(process)
    assert (status, out) == (74, ""), err
    *talk, last = err.splitlines()
    assert last.startswith("error: cannot write ") and "File too large" in last
    assert sum("training continues" in line for line in talk) >= 2, err
    assert "Traceback" not in err
    assert digests(root) == before
    assert not list((root / "training").glob(".*"))
    checkpoint, faults = newest_checkpoint(root / "training")
    assert checkpoint is not None and checkpoint.progress.step == STEPS and not faults

"""How a run starts on millions of pairs: seconds and memory until the first update.

    pytest -m bench tests/bench/test_scale.py -s

prints JSON. For each number of pairs of S2S_BENCH_PAIRS ("10000 1000000 3000000 10000000
30000000"), it writes a prepared and encoded corpus (130 bytes a pair, in S2S_BENCH_FOLDER or a
temporary folder) and starts `s2s train` with the recipe `tiny` and batches of 4,096 tokens three
times: on files in memory, on files that the system must read from the disk, and to resume in the
middle of the epoch. The smallest corpus shows what does not depend on the size: the imports and the
first validation. Processor time counts all threads, the check of hashes in the background included.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
import torch

from s2scli.data.encoded import EncodedSplit, open_encoded
from s2scli.settings import load_settings
from s2scli.training.checkpoint import (
    checkpoint_folder,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from s2scli.training.epochs import TrainingBatches
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from s2scli.workspace import Workspace
from tests.bench.race import processor
from tests.bench.showing import show
from tests.bench.stores import write_store

PAIRS = "10000 1000000 3000000 10000000 30000000"
BATCH_TOKENS = 4096
UPDATES = 3
SETTINGS = ("batch_tokens=4096", "log_every=1", "validation_examples=100", "validate_every=1000000")


@dataclass(frozen=True)
class Start:
    """A process of `s2s train` when it had made its first update.

    Attributes:
        seconds: since its start.
        processor_seconds: of all its threads.
        peak_mb: the most memory that was resident.
        own_mb: resident memory of its own, without files.
    """

    seconds: float
    processor_seconds: float
    peak_mb: int
    own_mb: int


def start(workspace: Workspace, updates: int) -> Start:
    """Train up to this number of updates; return what the first one took."""
    command = ["-m", "s2scli", "train", "-w", str(workspace.root), "-r", "tiny", "--device", "cpu"]
    changes = [word for change in SETTINGS for word in ("--set", f"training.{change}")]
    log = workspace.training / "metrics.jsonl"
    known = log.read_bytes().count(b'"update"') if log.exists() else 0
    command += [*changes, "--max-steps", str(updates), "--patience", "0", "-q"]
    before = time.perf_counter()
    with subprocess.Popen([sys.executable, *command]) as process:
        while process.poll() is None:
            if log.exists() and log.read_bytes().count(b'"update"') > known:
                break
            time.sleep(0.01)
        found = _look(process.pid, time.perf_counter() - before)
    assert process.returncode == 0
    return found


def _look(pid: int, seconds: float) -> Start:
    status = Path(f"/proc/{pid}/status").read_text()
    resident = {name: int(size) // 1000 for name, size in re.findall(r"(\w+):\s+(\d+) kB", status)}
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    used = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return Start(round(seconds, 2), used, resident["VmHWM"], resident["RssAnon"])


def forget_files(folder: Path) -> None:
    """Let the system read these files from the disk again."""
    for path in folder.rglob("*.arrow"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def stop_in_the_middle(workspace: Workspace, batches: TrainingBatches) -> None:
    """Move the run's last checkpoint to the middle of its epoch."""
    last = load_checkpoint(list_checkpoints(workspace.training)[0])
    middle = replace(last.progress, window=batches.windows // 2, batch=5)
    shutil.rmtree(checkpoint_folder(workspace.training, last.progress.step))
    save_checkpoint(workspace.training, replace(last, progress=middle))


def window_padding(split: EncodedSplit, batches: TrainingBatches) -> list[float]:
    """Return the share of padding of both sides in the middle window of the second epoch."""
    batches.next(Progress(epoch=1, window=batches.windows // 2))
    return [round(share, 4) for share in batches.padding]


def measure(folder: Path, pairs: int) -> dict[str, object]:
    """Write a corpus, train on it, and remove it."""
    workspace = write_store(folder / f"pairs-{pairs}", pairs)
    try:
        starts = {"in memory": start(workspace, UPDATES)}
        shutil.rmtree(workspace.training)
        forget_files(workspace.root)
        starts["from disk"] = start(workspace, UPDATES)
        split = open_encoded(workspace.encoded, "train")
        tree = {"batch_tokens": BATCH_TOKENS}
        batches = TrainingBatches(split, load_settings(TrainingSettings, tree, "bench"))
        stop_in_the_middle(workspace, batches)
        starts["resumed"] = start(workspace, 2 * UPDATES)
        return {
            "pairs": pairs,
            "windows": batches.windows,
            "padding": window_padding(split, batches),
            **{name: asdict(one) for name, one in starts.items()},
        }
    finally:
        shutil.rmtree(workspace.root)
        workspace.root.with_suffix(".tsv").unlink()


@pytest.mark.bench
@pytest.mark.timeout(0)
@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc of Linux")
def test_scale(tmp_path: Path) -> None:
    folder = Path(os.environ.get("S2S_BENCH_FOLDER") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    table = {
        "table": "the start of a run on millions of pairs",
        "processor": processor(),
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
        "rows": [measure(folder, int(n)) for n in os.environ.get("S2S_BENCH_PAIRS", PAIRS).split()],
    }
    show(table)

"""Memory that `s2s train` holds as it goes on, validations included: level, or does it grow?

    S2S_BENCH_WORKSPACE=DIR pytest -m bench tests/bench/test_memory.py -s

prints JSON: the least and the most that was resident in each fifth of the run, in MB. It trains a
copy of the workspace for S2S_BENCH_MINUTES (6), S2S_BENCH_RECIPE (default) with the changes of
S2S_BENCH_SET ("training.validate_every=100 ..."), and looks five times a second. What is free is
given back every 100 updates: what then remains, the least, is what would grow.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.bench.race import processor
from tests.bench.showing import show

PARTS = 5


def watch(process: "subprocess.Popen[bytes]") -> list[float]:
    """Return the memory resident in a process, in MB, five times a second until it ends."""
    held = []
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        lines = [line.split() for line in status.splitlines() if line.startswith("VmRSS")]
        held += [int(kibibytes) * 1024 / 1e6 for _, kibibytes, _ in lines]
        time.sleep(0.2)
    return held


def train_watched(workspace: Path, recipe: str, minutes: str, changes: list[str]) -> list[float]:
    """Train in a process of its own; return what it held."""
    limits = ["--max-minutes", minutes, "--patience", "0"]
    words = [word for change in changes for word in ("--set", change)]
    command = ["-m", "s2scli", "train", "-w", str(workspace), "--recipe", recipe, *limits, *words]
    with subprocess.Popen([sys.executable, *command]) as process:
        held = watch(process)
    assert process.returncode == 0
    return held


@pytest.mark.bench
@pytest.mark.timeout(0)
@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc of Linux")
def test_memory(tmp_path: Path) -> None:
    given = os.environ.get("S2S_BENCH_WORKSPACE")
    if not given:
        pytest.skip("set S2S_BENCH_WORKSPACE to a workspace with a corpus")
    for name in ("corpus", "tokenizer", "encoded"):
        shutil.copytree(Path(given) / name, tmp_path / name)
    recipe = os.environ.get("S2S_BENCH_RECIPE", "default")
    minutes = os.environ.get("S2S_BENCH_MINUTES", "6")
    changes = os.environ.get("S2S_BENCH_SET", "").split()
    held = train_watched(tmp_path, recipe, minutes, changes)
    size = len(held) // PARTS
    parts = [held[part * size : (part + 1) * size] for part in range(PARTS)]
    machine = {"processor": processor(), "torch": torch.__version__}
    threads = os.environ.get("OMP_NUM_THREADS", str(torch.get_num_threads()))
    table = {
        "table": "memory while training",
        **machine,
        "threads": threads,
        "recipe": recipe,
        "changes": changes,
        "minutes": float(minutes),
        "least_mb": [round(min(part)) for part in parts],
        "most_mb": [round(max(part)) for part in parts],
    }
    show(table)

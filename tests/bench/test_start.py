"""How long a user waits: `s2s --help`, and one line through a cold `s2s translate`.

    pytest -m bench tests/bench/test_start.py -s

prints JSON: medians, in seconds, of whole processes run in turn. Their modules are compiled before,
as those of an installed package are.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.showing import show

RUNS = 7


def seconds(words: list[str], stdin: bytes, bytecode: Path) -> float:
    """Wall time of one process of s2s, which keeps its compiled modules in a folder."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "s2scli", *words]
    start = time.perf_counter()
    subprocess.run(command, input=stdin, capture_output=True, check=True, env=environment)
    return time.perf_counter() - start


@pytest.mark.bench
def test_start(trained_workspace: Path, tmp_path: Path) -> None:
    model = Path(os.environ.get("S2S_BENCH_MODEL") or trained_workspace / "model")
    commands = {
        "help": (["--help"], b""),
        "translate one line": (["translate", "-m", str(model)], b"one two three\n"),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(RUNS + 1):
        for name, (words, stdin) in commands.items():
            taken = seconds(words, stdin, tmp_path / "bytecode")
            if turn:  # the first one compiles
                times[name].append(taken)
    medians = {name: round(statistics.median(runs), 3) for name, runs in times.items()}
    show({"runs": RUNS, "cores": os.cpu_count(), "median_seconds": medians})

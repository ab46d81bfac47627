"""Training in two processes of one thread against one of two threads, and the cost of gradients.

    S2S_BENCH_WORKSPACE=DIR pytest -m bench tests/bench/test_processes.py -s -n0

prints one JSON document for each table. The workspace needs an encoded corpus; the runs get copies
of it. Both runs make the same updates and take turns; the result is the median of the ratios of
S2S_BENCH_ROUNDS (5) rounds. S2S_BENCH_UPDATES (60) is the length of a run, S2S_BENCH_RECIPE
(vaswani2017) its recipe and S2S_BENCH_SIZE (small) its size.

The second table is the share of an update that sums gradients for 1 to 8 hosts. Its model, with n
hosts, G bytes of gradients, bandwidth B and latency L, is the time of a ring (Patarasuk & Yuan
2009), of which the backward pass hides what it can, except the last bucket:

    sum = 2 (n - 1) / n G / B + 2 (n - 1) L
    share = exposed / (compute + exposed), exposed = max(sum - backward, sum of the last bucket)

where backward is two thirds of compute. B and L of the loopback are measured with 2 to 8 members of
a gloo group; those of a network are given.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from s2scli.config import load_recipe
from s2scli.model.seq2seq import Seq2Seq
from s2scli.training.distributed import Distributed
from s2scli.training.gradient_sums import BUCKET_BYTES
from s2scli.training.metrics_log import MetricsLog
from tests.bench.showing import show
from tests.training.processes import connected

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]
ROUNDS = int(os.environ.get("S2S_BENCH_ROUNDS", "5"))
UPDATES = int(os.environ.get("S2S_BENCH_UPDATES", "60"))
RECIPE = os.environ.get("S2S_BENCH_RECIPE", "vaswani2017")
SIZE = os.environ.get("S2S_BENCH_SIZE", "small")
HOSTS = (1, 2, 4, 8)
NETWORKS = {"1 Gbit/s": (125e6, 1e-4), "10 Gbit/s": (1.25e9, 5e-5), "100 Gbit/s": (12.5e9, 2e-5)}
VOCAB_SIZE = 37_000  # Vaswani et al. 2017, section 5.1


def tokens_per_second(workspace: Path, processes: int, threads: int) -> float:
    """Return the target tokens per second of a run, without its validations."""
    shutil.rmtree(workspace / "training", ignore_errors=True)
    shutil.rmtree(workspace / "model", ignore_errors=True)
    length = ("--max-steps", str(UPDATES), "--set", f"training.validate_every={UPDATES}")
    subprocess.run(
        [
            *(sys.executable, "-m", "s2scli", "train", "-r", RECIPE, "--size", SIZE),
            *("-w", str(workspace), "--device", "cpu", "--processes", str(processes), *length),
            *("--set", "training.log_every=10", "--set", "training.validation_examples=2"),
            *("--set", "training.precision=float32", "-q"),
        ],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
    )
    rate = MetricsLog(workspace / "training" / "metrics.jsonl").tokens_per_second()
    assert rate is not None
    return rate


def test_two_processes_of_one_thread_against_one_of_two(tmp_path: Path) -> None:
    if "S2S_BENCH_WORKSPACE" not in os.environ:
        pytest.skip("S2S_BENCH_WORKSPACE names no workspace with an encoded corpus")
    given, workspace = Path(os.environ["S2S_BENCH_WORKSPACE"]), tmp_path / "workspace"
    for folder in ("corpus", "tokenizer", "encoded"):
        shutil.copytree(given / folder, workspace / folder)
    pairs = [
        (tokens_per_second(workspace, 2, 1), tokens_per_second(workspace, 1, 2))
        for _ in range(ROUNDS)
    ]
    ratios = [two / one for two, one in pairs]
    table = {
        "table": "2 processes x 1 thread against 1 process x 2 threads",
        "recipe": f"{RECIPE} {SIZE}",
        "tokens_per_second": [[round(rate) for rate in pair] for pair in pairs],
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "load": os.getloadavg(),
    }
    show(table)


def seconds_to_sum(hosts: int, numbers: int) -> float:
    """Return the median time to sum a gradient over the members of a gloo group, in seconds."""

    def work(world: Distributed) -> float:
        weights = [nn.Parameter(torch.zeros(numbers))]
        times = []
        for _ in range(5):
            weights[0].grad = torch.ones(numbers)
            world.barrier()
            start = time.perf_counter()
            world.sum_gradients(weights)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    return max(connected(hosts, work))


def ring_seconds(hosts: int, size: float, bandwidth: float, latency: float) -> float:
    """Return the time to sum `size` bytes over a ring of hosts, in seconds."""
    return 2 * (hosts - 1) / hosts * size / bandwidth + 2 * (hosts - 1) * latency


def share(hosts: int, size: float, compute: float, bandwidth: float, latency: float) -> float:
    """Return the share of an update that waits for gradients."""
    total = ring_seconds(hosts, size, bandwidth, latency)
    last = ring_seconds(hosts, min(size, BUCKET_BYTES), bandwidth, latency)
    exposed = max(total - compute * 2 / 3, last)
    return exposed / (compute + exposed)


def test_share_of_communication() -> None:
    recipe = load_recipe("vaswani2017")
    with torch.device("meta"):
        model = Seq2Seq(recipe.model, VOCAB_SIZE, VOCAB_SIZE, joint=True)
    numbers = sum(weight.numel() for weight in model.parameters())
    tokens = recipe.training.batch_tokens * recipe.training.accumulate
    floats = 6 * numbers * tokens  # a forward and a backward pass (Kaplan et al. 2020, section 2.1)
    product = torch.ones(1024, 1024)
    start = time.perf_counter()
    for _ in range(10):
        product @ product
    core = 10 * 2 * 1024**3 / (time.perf_counter() - start)
    measured = {hosts: seconds_to_sum(hosts, 2**22) for hosts in HOSTS[1:]}
    small = {hosts: seconds_to_sum(hosts, 16) for hosts in HOSTS[1:]}
    latency = statistics.median(small[hosts] / (2 * (hosts - 1)) for hosts in small)
    bandwidth = statistics.median(
        2 * (hosts - 1) / hosts * 2**24 / max(1e-9, measured[hosts] - small[hosts])
        for hosts in measured
    )
    networks = {"loopback": (bandwidth, latency), **NETWORKS}
    computing = {
        f"this machine's product, {core / 1e9:.0f} GFLOP/s": floats / core,
        "a GPU at 500,000 target tokens/s": tokens / 5e5,
    }
    table = {
        "table": "share of an update that waits for gradients, vaswani2017",
        "weights": numbers,
        "tokens_per_host": tokens,
        "loopback": {"bytes_per_second": round(bandwidth), "latency": round(latency, 6)},
        "milliseconds_for_16_MiB": {str(n): round(1000 * s, 1) for n, s in measured.items()},
        "share": {
            f"{what}, {network}": {
                str(hosts): round(share(hosts, 4 * numbers, seconds, *speed), 4) if hosts > 1 else 0
                for hosts in HOSTS
            }
            for what, seconds in computing.items()
            for network, speed in networks.items()
        },
        "load": os.getloadavg(),
    }
    show(table)

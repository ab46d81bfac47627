"""Contenders in turn, round by round, each in a process of its own; medians and ratios."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from s2scli.training.epochs import TrainingBatches
from tests.bench.contenders import Entry, Lap, bench_recipe
from tests.bench.pairs import bench_corpus, first_batches
from tests.bench.work import count_tokens, count_work, flops_per_target_token

ROOT = Path(__file__).parents[2]
PRODUCTS = ("torch's product", "s2s's product")
COUNTED = ("forward", "backward", "optimizer")


@dataclass(frozen=True)
class Length:
    """How long a race is.

    Attributes:
        rounds: times that each contender has its turn, after one turn to warm up.
        updates: of a turn.
    """

    rounds: int
    updates: int

    @property
    def total(self) -> int:
        """Updates of each contender, the first turn included."""
        return (self.rounds + 1) * self.updates


@dataclass(frozen=True)
class Outcome:
    """What one contender did.

    Attributes:
        facts: about its process.
        warm_up: its first turn, which does not count.
        laps: the others.
    """

    facts: Mapping[str, Any]
    warm_up: Lap
    laps: Sequence[Lap]

    @property
    def rates(self) -> list[float]:
        """Amount a second of each turn."""
        return [lap.amount / lap.seconds for lap in self.laps]

    @property
    def cpu_rates(self) -> list[float]:
        """Amount a second of processor time of each turn."""
        return [lap.amount / lap.cpu_seconds for lap in self.laps]


def race_length() -> Length:
    """Return the length that S2S_BENCH_ROUNDS and S2S_BENCH_UPDATES ask for."""
    rounds, updates = (
        int(os.environ.get(f"S2S_BENCH_{name}", default))
        for name, default in (("ROUNDS", 9), ("UPDATES", 4))
    )
    return Length(rounds, updates)


class Worker:
    """A contender in its process."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.contenders", json.dumps(asdict(entry))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self.facts: Mapping[str, Any] = {}

    def __enter__(self) -> "Worker":
        self.facts = self._answer()
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.communicate()

    def lap(self, updates: int) -> Lap:
        """Let it make some updates."""
        assert self.process.stdin
        self.process.stdin.write(f"{updates}\n")
        self.process.stdin.flush()
        return Lap(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise RuntimeError(f"{self.entry} ended with status {self.process.returncode}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def race(entries: Mapping[str, Entry], length: Length) -> dict[str, Outcome]:
    """Let contenders take turns, each time another one first; return what they did, by label."""
    with ExitStack() as stack:
        workers = {label: stack.enter_context(Worker(entry)) for label, entry in entries.items()}
        warm_up = {label: worker.lap(length.updates) for label, worker in workers.items()}
        laps: dict[str, list[Lap]] = {label: [] for label in entries}
        for number in range(length.rounds):
            for label in rotated(list(entries), number):
                laps[label].append(workers[label].lap(length.updates))
        return {
            label: Outcome(worker.facts, warm_up[label], laps[label])
            for label, worker in workers.items()
        }


def rotated(labels: list[str], places: int) -> list[str]:
    """Return the labels, begun at another one each time."""
    start = places % len(labels)
    return labels[start:] + labels[:start]


def median_ratio(mine: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios of each round, which saw the same batches."""
    return statistics.median(a / b for a, b in zip(mine, others, strict=True))


def describe(outcome: Outcome) -> dict[str, Any]:
    """Return the figures of a contender: speed, start, share of the time, memory."""
    seconds = sum(lap.seconds for lap in outcome.laps)
    names = sorted({name for lap in outcome.laps for name in lap.phases})
    phases = {name: sum(lap.phases.get(name, 0.0) for lap in outcome.laps) for name in names}
    assert all(phases.get(name) for name in COUNTED), f"not all timed: {phases}"
    outside = seconds - sum(phases[name] for name in COUNTED)
    thirds = [outcome.laps[len(outcome.laps) * third // 3 - 1] for third in (1, 2, 3)]
    return {
        "tokens_per_second": round(statistics.median(outcome.rates)),
        "tokens_per_second_range": [round(min(outcome.rates)), round(max(outcome.rates))],
        "tokens_per_cpu_second": round(statistics.median(outcome.cpu_rates)),
        "build_seconds": round(outcome.facts["build_seconds"], 1),
        "warm_up_seconds": round(outcome.warm_up.seconds, 1),
        "share_of_time": {name: round(passed / seconds, 4) for name, passed in phases.items()},
        "share_outside_forward_backward_optimizer": round(outside / seconds, 4),
        "float32_matmul_precision": outcome.facts["float32_matmul_precision"],
        "memory_mb": {
            "before_training": round(outcome.facts["resident_mb"]),
            "peak": round(outcome.laps[-1].peak_mb),
            "after_thirds": [round(lap.resident_mb) for lap in thirds],
        },
    }


def compare(outcomes: Mapping[str, Outcome], own: Sequence[str]) -> dict[str, Any]:
    """Return the ratios of our contenders to each peer, to the fastest and to the leanest.

    The fastest is the one of the highest median.
    """
    peers = [label for label in outcomes if label not in own]
    fastest = max(peers, key=lambda label: statistics.median(outcomes[label].rates))
    leanest = min(peers, key=lambda label: outcomes[label].laps[-1].peak_mb)
    return {
        "fastest_peer": fastest,
        "leanest_peer": leanest,
        **{
            label: {
                "times_fastest_peer": round(
                    median_ratio(outcomes[label].rates, outcomes[fastest].rates), 3
                ),
                "times_each_peer": {
                    peer: round(median_ratio(outcomes[label].rates, outcomes[peer].rates), 3)
                    for peer in peers
                },
                "times_each_peer_by_cpu_seconds": {
                    peer: round(
                        median_ratio(outcomes[label].cpu_rates, outcomes[peer].cpu_rates), 3
                    )
                    for peer in peers
                },
                "peak_memory_over_leanest_peer": round(
                    outcomes[label].laps[-1].peak_mb / outcomes[leanest].laps[-1].peak_mb, 3
                ),
            }
            for label in own
        },
    }


def against_the_machine(
    recipe: str, precision: str, length: Length, outcomes: Mapping[str, Outcome]
) -> dict[str, Any]:
    """Return the arithmetic of a target token, and the share of the peak that each one reaches.

    The peak is what large matrix products reached in the same rounds, by the quickest library.
    """
    corpus, resolved = bench_corpus(), bench_recipe(recipe, precision)
    batches = first_batches(corpus, resolved.training, length.total)
    tokens = count_tokens(batches)
    work = count_work(resolved.model, corpus.vocab_size)
    weights, attention = flops_per_target_token(work, tokens)
    needed = weights + attention
    medians = {name: statistics.median(outcomes[name].rates) for name in PRODUCTS}
    product = outcomes[max(PRODUCTS, key=lambda name: medians[name])]
    trained = {label: each for label, each in outcomes.items() if label not in PRODUCTS}
    padding = TrainingBatches(corpus.pairs, resolved.training).padding
    return {
        "corpus": corpus.name,
        "vocab_size": corpus.vocab_size,
        "target_tokens_per_update": round(tokens.target / len(batches)),
        "source_tokens_per_target_token": round(tokens.source / tokens.target, 4),
        "padding_of_an_epoch": dict(
            zip(("source", "target"), (round(share, 4) for share in padding), strict=True)
        ),
        "mflop_per_target_token": {
            "products_with_weights": round(weights / 1e6, 2),
            "attention_beside_them": round(attention / 1e6, 2),
        },
        "gflops": {name: round(rate / 1e9, 1) for name, rate in medians.items()},
        "gflops_a_cpu_second": {
            name: round(statistics.median(outcomes[name].cpu_rates) / 1e9, 1) for name in PRODUCTS
        },
        "tokens_per_second_at_peak": round(max(medians.values()) / needed),
        "share_of_peak": {
            label: round(needed * median_ratio(outcome.rates, product.rates), 3)
            for label, outcome in trained.items()
        },
        "share_of_peak_by_cpu_seconds": {
            label: round(needed * median_ratio(outcome.cpu_rates, product.cpu_rates), 3)
            for label, outcome in trained.items()
        },
    }


def setting(outcomes: Mapping[str, Outcome], length: Length) -> dict[str, Any]:
    """Return where and with what was measured."""
    threads = {outcome.facts["threads"] for outcome in outcomes.values()}
    return {
        "device": sorted({outcome.facts["device"] for outcome in outcomes.values()}),
        "processor": processor(),
        "cores_allowed": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": sorted(threads),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rounds": length.rounds,
        "updates_a_round": length.updates,
    }


def processor() -> str:
    """Return the processor's name, as far as the system knows it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

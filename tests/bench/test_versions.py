"""This checkout against an older one: whole commands, each with the same work, in turn.

    S2S_BENCH_BASE=DIR S2S_BENCH_RAW=DIR pytest -m bench tests/bench/test_versions.py -s

prints JSON. S2S_BENCH_BASE is another checkout of s2s, say `git worktree add DIR COMMIT`, and
S2S_BENCH_RAW holds the raw files of Multi30k, as for test_time_to_quality.py. For each recipe of
S2S_BENCH_RECIPES ("transformer-tiny lstm-attention"), the older one prepares 3,000 pairs and trains
a model; then, for S2S_BENCH_ROUNDS (9) rounds, each in turn trains it again for
S2S_BENCH_UPDATES (60) updates, and translates the same 300 lines with that first model. Times are
those of whole processes, start-up included. `cpu_seconds` count processor time, which other work
on the machine disturbs less; a ratio above 1 says that this checkout needs more.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.race import ROOT, processor, rotated
from tests.bench.results import commit_of
from tests.bench.showing import show
from tests.bench.test_finding_settings import first_pairs, raw_file
from tests.bench.test_time_to_quality import LANGUAGES

PAIRS, LINES = 3000, 300
RECIPES = "transformer-tiny lstm-attention"


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    cpu_seconds: float


def run(checkout: Path, *words: str) -> Cost:
    """Run s2s of a checkout in a process of its own, with one thread."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    start, used = time.perf_counter(), child_seconds()
    subprocess.run(
        [sys.executable, "-m", "s2scli", *words],
        cwd=checkout,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return Cost(time.perf_counter() - start, child_seconds() - used)


def child_seconds() -> float:
    """Return the processor time of all processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def in_turn(
    checkouts: Mapping[str, Path], commands: Mapping[str, Sequence[str]], rounds: int
) -> dict[str, dict[str, list[Cost]]]:
    """Run each command of each checkout, round by round; return what they took, by command."""
    found: dict[str, dict[str, list[Cost]]] = {
        name: {label: [] for label in checkouts} for name in commands
    }
    for number in range(rounds):
        for name, words in commands.items():
            for label in rotated(list(checkouts), number):
                found[name][label].append(run(checkouts[label], *words))
    return found


def compared(found: Mapping[str, Sequence[Cost]]) -> dict[str, dict[str, float]]:
    """Return medians of each checkout and of the ratios of the rounds, with their quartiles."""
    table = {}
    for measure in ("seconds", "cpu_seconds"):
        costs = {label: [getattr(cost, measure) for cost in took] for label, took in found.items()}
        ratios = [new / old for new, old in zip(costs["this"], costs["base"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        medians = {label: statistics.median(values) for label, values in costs.items()}
        row = {**medians, "ratio": middle, "quartile_1": low, "quartile_3": high}
        table[measure] = {key: round(value, 3) for key, value in row.items()}
    return table


@pytest.mark.bench
@pytest.mark.timeout(0)
def test_versions(tmp_path: Path) -> None:
    base = os.environ.get("S2S_BENCH_BASE")
    if not base:
        pytest.skip("set S2S_BENCH_BASE to another checkout of s2s")
    checkouts = {"base": Path(base).resolve(), "this": ROOT}
    rounds = int(os.environ.get("S2S_BENCH_ROUNDS", "9"))
    updates = os.environ.get("S2S_BENCH_UPDATES", "60")
    texts = first_pairs(tmp_path, PAIRS)
    lines = tmp_path / "lines"
    lines.write_text("".join(texts[0].read_text("utf-8").splitlines(True)[:LINES]), "utf-8")
    held_out = [word for one in LANGUAGES for word in ("--valid", str(raw_file("val", one)))]

    commands: dict[str, Sequence[str]] = {
        "s2s --help": ("--help",),
        "translate --help": ("translate", "--help"),
    }
    for recipe in os.environ.get("S2S_BENCH_RECIPES", RECIPES).split():
        place = ("-w", str(tmp_path / recipe), "-q")
        training = ("train", "--recipe", recipe, "--max-steps")
        run(checkouts["base"], "prepare", *map(str, texts), *held_out, *place)
        run(checkouts["base"], *training, "150", *place)
        again = tmp_path / f"{recipe}.again"
        run(checkouts["base"], "prepare", *map(str, texts), *held_out, "-w", str(again), "-q")
        where = ("-w", str(again), "-q", "--restart", "--overwrite")
        commands[f"train {recipe}"] = (*training, updates, *where)
        for size in ("1", "5"):
            options = ("-m", str(tmp_path / recipe / "model"), "--beam-size", size)
            commands[f"translate {recipe}, beam {size}"] = ("translate", *options, str(lines))
    found = in_turn(checkouts, commands, rounds)
    table = {name: compared(costs) for name, costs in found.items()}
    facts = {"processor": processor(), "rounds": rounds, "updates": int(updates)}
    show({**facts, "base": commit_of(checkouts["base"]), "commands": table})


def test_ratios_are_those_of_the_rounds() -> None:
    base = [Cost(1.0, 2.0), Cost(2.0, 2.0), Cost(4.0, 2.0)]
    this = [Cost(2.0, 1.0), Cost(2.0, 2.0), Cost(2.0, 3.0)]
    table = compared({"base": base, "this": this})
    assert table["seconds"] == {
        "base": 2.0,
        "this": 2.0,
        "ratio": 1.0,
        "quartile_1": 0.75,
        "quartile_3": 1.5,
    }
    assert table["cpu_seconds"]["ratio"] == 1.0


def test_the_checkouts_take_turns(tmp_path: Path) -> None:
    found = in_turn({"base": ROOT, "this": ROOT}, {"version": ("--version",)}, 2)
    assert {label: len(costs) for label, costs in found["version"].items()} == {
        "base": 2,
        "this": 2,
    }
    assert all(cost.seconds > 0 for costs in found["version"].values() for cost in costs)

"""Settings that s2s finds by itself, against the default recipe, by validation with intervals.

    S2S_BENCH_RAW=DIR pytest -m bench tests/bench/test_finding_settings.py -s

prints JSON; DIR holds the raw files of Multi30k, as for test_time_to_quality.py. Everything is
measured in processes of its own on an idle machine.

- Tuning: 2,000 pairs, S2S_BENCH_TRIALS (20) trials of S2S_BENCH_TRIAL_MINUTES (2) in
  S2S_BENCH_PROCESSES (1), against the default recipe trained for the same minutes.
- Budget: all pairs, or those of S2S_BENCH_TSV, `--budget` of S2S_BENCH_BUDGET (20) minutes against
  `--recipe default --max-minutes` of as many.
- Rehearsal: what `--rehearse` predicts, against S2S_BENCH_UPDATES (150) real updates.
"""

import gzip
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from s2scli.training.metrics_log import MetricsLog
from tests.bench.showing import show
from tests.bench.test_time_to_quality import LANGUAGES, s2s
from tests.toy import write_corpus

PAIRS = 2000


def raw_file(split: str, language: str) -> Path:
    raw = os.environ.get("S2S_BENCH_RAW")
    if not raw:
        pytest.skip("set S2S_BENCH_RAW to the folder of Multi30k's raw files")
    return Path(raw) / f"{split}.{language}.gz"


def prepared(workspace: Path, *texts: str | Path, valid: Sequence[Path] = ()) -> Path:
    """Prepare a workspace; return it."""
    options = [word for path in valid for word in ("--valid", str(path))]
    s2s("prepare", *map(str, texts), *options, "-w", str(workspace), "-q")
    return workspace


def first_pairs(folder: Path, count: int) -> list[Path]:
    """Write the first pairs of Multi30k to files."""
    files = []
    for language in LANGUAGES:
        with gzip.open(raw_file("train", language), "rt", encoding="utf-8") as lines:
            text = "".join(itertools.islice(lines, count))
        files.append(folder / f"train.{language}")
        files[-1].write_text(text, encoding="utf-8")
    return files


def scored(workspace: Path, model: Path, *splits: str) -> dict[str, Any]:
    """Return the chrF of a model on some splits, each with its 95 % interval."""
    found = {}
    for split in splits:
        options = ("--chrf", "--split", split, "-m", str(model), "-q")
        document, _ = s2s("evaluate", *options, "-w", str(workspace))
        (score,) = document["scores"]
        found[split] = {"chrf": score["value"], "interval": score["interval"]}
    return found


def tuned(
    workspace: Path,
    trials: int,
    limit: tuple[str, str],
    recipe: str,
    splits: Sequence[str],
    processes: int = 1,
) -> dict[str, Any]:
    """Tune a recipe, and train it with the same limit; score both."""
    common = ("-r", recipe, *limit, "-w", str(workspace), "-q")
    study, seconds = s2s("tune", "--trials", str(trials), "--processes", str(processes), *common)
    s2s("train", "--patience", "0", *common)
    states = [trial["state"] for trial in study["trials"]]
    return {
        "trials": {state: states.count(state) for state in sorted({*states})},
        "minutes": seconds / 60,
        "importances": study["importances"],
        "values": study["trials"][0]["values"],
        "tuned": scored(workspace, Path(study["model"]), *splits),
        "untuned": scored(workspace, workspace / "model", *splits),
    }


def budgeted(workspace: Path, minutes: float, recipe: str) -> dict[str, Any]:
    """Train with a budget, and for the same minutes without one; score both."""
    seconds = f"{60 * minutes:g}"
    runs = {
        "budget": ("--budget", f"{seconds}s"),
        "minutes": ("--max-minutes", f"{minutes}", "--patience", "0"),
    }
    found: dict[str, Any] = {}
    for name, limit in runs.items():
        restart = ("--restart", "--overwrite") if found else ()
        where = ("-w", str(workspace), "-q")
        report, taken = s2s("train", "-r", recipe, *limit, *restart, *where)
        kept = {key: report[key] for key in ("step", "epochs", "minutes", "parameters", "best")}
        found[name] = {
            **kept,
            "ended": report["reason"],
            "minutes_with_start": taken / 60,
            **scored(workspace, workspace / "model", "valid"),
        }
    return found


def rehearsed(workspace: Path, updates: int, *options: str) -> dict[str, Any]:
    """Rehearse a run and train it; return the predicted and the measured needs."""
    where = ("-w", str(workspace), "-q")
    predicted, seconds = s2s("train", "--rehearse", *options, *where)
    limit = ("--max-steps", str(updates), "--set", "training.log_every=10", "--patience", "0")
    s2s("train", *options, *limit, *where)
    # the first line counts the validation before training too
    _, *lines = [
        record
        for record in MetricsLog(workspace / "training" / "metrics.jsonl").read()
        if record["kind"] == "update"
    ]
    paced = [line["tokens"] / line["tokens_per_second"] / 10 for line in lines]
    busy = [b["seconds"] - a["seconds"] for a, b in itertools.pairwise(lines)]
    cpu = sum(s * line["busy_cores"] for s, line in zip(busy, lines[1:], strict=True)) / sum(busy)
    per_epoch = predicted["updates_per_epoch"] / 60
    update = sum(paced) / len(paced)
    return {
        "seconds": seconds,
        "predicted": predicted,
        "measured": {
            "peak_memory_mb": lines[-1]["peak_memory_mb"],
            "epoch_minutes": per_epoch * update,
            "epoch_cpu_minutes": per_epoch * update * cpu,
        },
    }


def setting(name: str, default: str) -> str:
    return os.environ.get(f"S2S_BENCH_{name}", default)


def multi30k(folder: Path) -> Path:
    valid = [raw_file("val", language) for language in LANGUAGES]
    texts = [raw_file("train", language) for language in LANGUAGES]
    tsv = os.environ.get("S2S_BENCH_TSV")
    return prepared(folder, tsv) if tsv else prepared(folder, *texts, valid=valid)


@pytest.mark.bench
@pytest.mark.timeout(0)
def test_tuning(tmp_path: Path) -> None:
    valid = [raw_file("val", language) for language in LANGUAGES]
    workspace = prepared(tmp_path / "tuning", *first_pairs(tmp_path, PAIRS), valid=valid)
    limit = ("--max-minutes", setting("TRIAL_MINUTES", "2"))
    trials, processes = int(setting("TRIALS", "20")), int(setting("PROCESSES", "1"))
    found = tuned(workspace, trials, limit, "default", ["valid"], processes)
    show({"table": "tuning", **found})


@pytest.mark.bench
@pytest.mark.timeout(0)
def test_budget(tmp_path: Path) -> None:
    workspace = multi30k(tmp_path / "budget")
    found = budgeted(workspace, float(setting("BUDGET", "20")), "default")
    show({"table": "budget", **found})


@pytest.mark.bench
@pytest.mark.timeout(0)
def test_rehearsal(tmp_path: Path) -> None:
    workspace = multi30k(tmp_path / "rehearsal")
    show({"table": "rehearsal", **rehearsed(workspace, int(setting("UPDATES", "150")))})


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_benchmarks_run(tmp_path: Path) -> None:
    workspace = prepared(tmp_path / "workspace", write_corpus(tmp_path / "corpus.tsv", 150))
    found = tuned(workspace, 1, ("--max-steps", "4"), "tiny", ["valid"])
    assert found["trials"] == {"complete": 1}
    for model in ("tuned", "untuned"):  # the same here: one trial, with the recipe's settings
        score = found[model]["valid"]
        assert 0 <= score["interval"][0] <= score["chrf"] <= score["interval"][1] <= 100
    assert found["tuned"] == found["untuned"]

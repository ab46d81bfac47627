"""Minutes to a score: raw text in, `s2s prepare`, `s2s train --budget`, `s2s evaluate` out.

    S2S_BENCH_RAW=DIR pytest -m bench tests/bench/test_time_to_quality.py -s

prints JSON for English to German of Multi30k: DIR holds {train,val,test_2016_flickr}.{en,de}.gz of
data/task1/raw of https://github.com/multi30k/dataset. Each budget of S2S_BENCH_MINUTES ("5", or
"5,30") is a run of its own from the first weights, with a schedule that ends in time, validation
included in its minutes; validation chooses the model, and the beam is 5. S2S_BENCH_SPLIT=valid
scores the validation split instead, which is the one to look at while a setting is still being
chosen: S2S_BENCH_RECIPE (default) and S2S_BENCH_SET ("training.seed=2 ...") say what is trained.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.bench.race import processor
from tests.bench.showing import show

SPLITS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
LANGUAGES = ("en", "de")


@dataclass(frozen=True)
class Trial:
    """What is trained, for how long, and what it is scored on.

    Attributes:
        files: source and target of each split.
        recipe: a built-in recipe's name or a TOML file.
        assignments: `section.key=value` changes to it.
        minutes: of training.
        split: what is scored, valid or test.
    """

    files: dict[str, tuple[Path, Path]]
    recipe: str
    assignments: tuple[str, ...]
    minutes: float
    split: str


def s2s(*words: str) -> tuple[dict[str, Any], float]:
    """Return the JSON of a command, run in a process of its own, and its seconds."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "s2scli", *words, "--json"], stdout=subprocess.PIPE, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found, time.perf_counter() - start


def time_to_quality(trial: Trial, workspace: Path) -> dict[str, Any]:
    """Prepare, train and score; return what it took and what it gave."""
    place = ("-w", str(workspace))
    texts = [str(path) for path in trial.files["train"]]
    for split in ("valid", "test"):
        for path in trial.files[split]:
            texts += [f"--{split}", str(path)]
    changes = [word for change in trial.assignments for word in ("--set", change)]
    budget = ("--budget", f"{trial.minutes}m")
    _, preparing = s2s("prepare", *texts, *place, "-q")
    trained, training = s2s("train", "--recipe", trial.recipe, *budget, *changes, *place)
    scored, evaluating = s2s(
        "evaluate",
        "--bleu",
        "--tokenize",
        "13a",
        "--beam-size",
        "5",
        "--split",
        trial.split,
        *place,
    )
    (bleu,) = scored["scores"]
    return {
        "recipe": trial.recipe,
        "changes": list(trial.assignments),
        "minutes_allowed": trial.minutes,
        "minutes_of_training": round(trained["minutes"], 2),
        "minutes_to_prepare_and_train": round((preparing + training) / 60, 2),
        "minutes_to_evaluate": round(evaluating / 60, 2),
        "updates": trained["step"],
        "epochs": round(trained["epochs"], 1),
        "best_update": trained["best_step"],
        "parameters": trained["parameters"],
        "validation": trained["best"],
        "split": trial.split,
        "bleu": round(bleu["value"], 2),
        "interval": [round(end, 2) for end in bleu["interval"]],
        "signature": bleu["signature"],
    }


@pytest.mark.bench
@pytest.mark.timeout(0)
def test_time_to_quality(tmp_path: Path) -> None:
    raw = os.environ.get("S2S_BENCH_RAW")
    if not raw:
        pytest.skip("set S2S_BENCH_RAW to the folder of Multi30k's raw files")
    source, target = LANGUAGES
    files = {
        split: (Path(raw) / f"{name}.{source}.gz", Path(raw) / f"{name}.{target}.gz")
        for split, name in SPLITS.items()
    }
    recipe = os.environ.get("S2S_BENCH_RECIPE", "default")
    changes = tuple(os.environ.get("S2S_BENCH_SET", "").split())
    split = os.environ.get("S2S_BENCH_SPLIT", "test")
    trials = [
        Trial(files, recipe, changes, float(minutes), split)
        for minutes in os.environ.get("S2S_BENCH_MINUTES", "5").split(",")
    ]
    runs = [
        time_to_quality(trial, tmp_path / f"workspace-{number}")
        for number, trial in enumerate(trials)
    ]
    machine = {
        "processor": processor(),
        "threads": os.environ.get("OMP_NUM_THREADS", str(torch.get_num_threads())),
        "torch": torch.__version__,
    }
    show({"table": "time to quality", **machine, "runs": runs})


@pytest.mark.slow
def test_a_trial_goes_from_text_to_a_score(tmp_path: Path) -> None:
    words = ["one", "two", "three", "four", "five", "six"]
    rows = [(f"{a} {b} {c}", f"{c} {b} {a}") for a in words for b in words for c in words]
    files = {}
    for number, split in enumerate(SPLITS):
        part = rows[number::3]
        files[split] = (tmp_path / f"{split}.a", tmp_path / f"{split}.b")
        for side, path in enumerate(files[split]):
            path.write_text("".join(row[side] + "\n" for row in part))
    trial = Trial(files, "tiny", ("training.validate_every=20",), 0.5, "valid")
    found = time_to_quality(trial, tmp_path / "workspace")
    assert 0 < found["minutes_of_training"] <= 0.52  # the last update may end late
    assert found["minutes_to_prepare_and_train"] > found["minutes_of_training"]
    assert found["updates"] >= found["best_update"] > 0
    assert 0 <= found["interval"][0] <= found["bleu"] <= found["interval"][1] <= 100
    assert "tok:13a" in found["signature"] and found["split"] == "valid"

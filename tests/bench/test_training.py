"""Target tokens a second in training, by recipe and arithmetic.

    S2S_BENCH_WORKSPACE=DIR pytest -m bench tests/bench/test_training.py -s

prints JSON for a workspace with a prepared corpus and a tokenizer: medians of interleaved updates.
"""

import json
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from s2scli.config import load_recipe
from s2scli.data.encoded import open_encoded
from s2scli.pipeline.model_folder import build_model
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.epochs import TrainingBatches
from s2scli.training.loop import Run, _update
from s2scli.training.progress import Progress

RECIPES = ("default", "lstm-attention", "bahdanau2015", "luong2015")
ROUNDS, UPDATES = 5, 4


@dataclass
class Racer:
    """One recipe in one arithmetic."""

    run: Run
    batches: TrainingBatches
    rates: list[float] = field(default_factory=list)

    def go(self) -> None:
        """Make some updates; keep their target tokens a second."""
        tokens, start = self.run.progress.logged_tokens, time.perf_counter()
        for _ in range(UPDATES):
            _update(self.run, self.batches)
        passed = time.perf_counter() - start
        self.rates.append((self.run.progress.logged_tokens - tokens) / passed)


def make_racer(folder: Path, name: str, precision: str) -> Racer:
    """Return a recipe ready to train on a workspace's corpus."""
    recipe = load_recipe(name, [f"training.precision={precision}"])
    model = build_model(recipe, Tokenizers.load(folder / "tokenizer"))
    optimizer = recipe.training.optimizer.build(dict(model.named_parameters()))
    run = Run(model, optimizer, recipe.training, torch.device("cpu"), Progress())
    batches = TrainingBatches(open_encoded(folder / "encoded", "train"), recipe.training)
    return Racer(run, batches)


@pytest.mark.bench
def test_training() -> None:
    folder = os.environ.get("S2S_BENCH_WORKSPACE")
    if not folder:
        pytest.skip("set S2S_BENCH_WORKSPACE to a workspace with a corpus and a tokenizer")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    racers = {
        (name, precision): make_racer(Path(folder), name, precision)
        for name in RECIPES
        for precision in ("float32", "bfloat16")
    }
    for racer in racers.values():
        racer.go()  # warm up
        racer.rates.clear()
    for _ in range(ROUNDS):
        for racer in racers.values():
            racer.go()
    rates = {
        f"{name} {precision}": round(statistics.median(racer.rates))
        for (name, precision), racer in racers.items()
    }
    print(json.dumps({"threads": torch.get_num_threads(), "target_tokens_per_second": rates}))

"""A toy task that a tiny model learns in seconds: write the letters of a word backwards."""

import random
from pathlib import Path

from s2scli.data.settings import PrepareSettings
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train import TrainReport, TrainRequest, train
from s2scli.report.console import Talk
from s2scli.workspace import Workspace

LETTERS = "abcdefgh"


def write_corpus(path: Path, pairs: int = 300, *, seed: int = 1) -> Path:
    """Write a TSV file of words and the same words backwards."""
    words = random.Random(seed)
    lines = []
    for _ in range(pairs):
        word = "".join(words.choices(LETTERS, k=words.randint(2, 6)))
        lines.append(f"{word}\t{word[::-1]}\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def prepare_toy(root: Path, pairs: int = 300, *, seed: int = 1) -> Workspace:
    """Return a workspace in `root` that holds the prepared toy corpus."""
    corpus = write_corpus(root.with_suffix(".tsv"), pairs, seed=seed)
    settings = PrepareSettings(valid_size=20, test_size=20)
    prepare(Workspace(root), Inputs((corpus,)), settings, Talk(quiet=True), overwrite=True)
    return Workspace(root)


def train_toy(workspace: Workspace, *assignments: str, max_steps: int) -> TrainReport:
    """Train the tiny recipe on a workspace, or go on with its run."""
    request = TrainRequest("tiny", assignments, {"max_steps": max_steps}, "cpu")
    return train(workspace, request, Talk(quiet=True))

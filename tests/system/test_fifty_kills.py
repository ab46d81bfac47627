"""The real program is killed fifty times, in every phase, and ends like one never disturbed."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from s2scli.pipeline.verify import verify
from s2scli.training.checkpoint import list_checkpoints, load_checkpoint
from tests.system.processes import kill, start
from tests.toy import write_corpus

Words: TypeAlias = Sequence[str | Path | int]
PAIRS, STEPS, LINES = 400, 100, 300
KILLS = {"prepare": 10, "train-tokenizer": 10, "train": 16, "translate": 14}
WAIT = 600
MODELS = ("model.safetensors", "recipe.toml")
TRAIN = (
    *("--recipe", "tiny", "--device", "cpu", "--max-steps", STEPS),
    *("--set", "training.save_every=10", "--set", "training.validate_every=20"),
)
TRANSLATE = ("--device", "cpu", "--window", 2, "--max-wait", 60_000, "--beam-size", 8)
FORMATS: dict[str, tuple[str | int, ...]] = {
    "text": (),
    "scores": ("--scores",),
    "n-best": ("--nbest", 2),
    "json": ("--json",),
}


def commands(folder: Path) -> dict[str, Sequence[Words]]:
    """Return the command lines of each phase; the same line is used after a kill."""
    lines = folder / "lines.txt"
    translations = [
        ("translate", lines, "-o", folder / f"{name}.out", "--resume", *TRANSLATE, *options)
        for name, options in FORMATS.items()
    ]
    return {
        "prepare": [("prepare", folder / "corpus.tsv", "--valid-size", 50, "--test-size", 50)],
        "train-tokenizer": [("train-tokenizer", "--vocab-size", 60)],
        "train": [("train", *TRAIN)],
        "translate": translations,
    }


def write_inputs(folder: Path) -> Path:
    folder.mkdir()
    write_corpus(folder / "corpus.tsv", PAIRS)
    rows = write_corpus(folder / "lines.tsv", LINES, seed=2).read_text().splitlines()
    (folder / "lines.txt").write_text("".join(row.split("\t")[0] + "\n" for row in rows))
    return folder


def run(folder: Path, words: Words) -> float:
    """Run a command to its end; return the seconds it took."""
    begin = time.monotonic()
    process = start(*words, workspace=folder / "workspace")
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    return time.monotonic() - begin


def run_killed(folder: Path, words: Words, delay: float) -> bool:
    """Kill a command after some seconds; return whether it was still running."""
    process = start(*words, workspace=folder / "workspace")
    try:
        process.wait(timeout=delay)
    except subprocess.TimeoutExpired:
        kill(process)
        return True
    _, err = process.communicate()
    assert process.returncode == 0, err
    return False


def undo(folder: Path, phase: str) -> None:
    """Remove what a phase has made, so that it can be killed again."""
    workspace = folder / "workspace"
    made = {
        "prepare": [workspace / "corpus"],
        "train-tokenizer": [workspace / "tokenizer", workspace / "encoded"],
        "train": [workspace / "training", workspace / "model"],
        "translate": [folder / f"{name}.out" for name in FORMATS],
    }
    for path in made[phase]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def assert_nothing_damaged(folder: Path) -> None:
    """What a kill leaves is whole or absent, before anything mends it."""
    states = {str(one.path): one.state for one in verify([folder / "workspace"])}
    assert "damaged" not in states.values(), states


def result_of(folder: Path) -> dict[str, object]:
    """Return what must not depend on kills: artifacts, weights and outputs."""
    workspace = folder / "workspace"
    digests = {one.kind: one.digest for one in verify([workspace]) if one.kind != "checkpoint"}
    newest = load_checkpoint(list_checkpoints(workspace / "training")[0])
    return {
        **{kind: digests[kind] for kind in ("corpus", "tokenizer", "encoded")},
        **{name: (workspace / "model" / name).read_bytes() for name in MODELS},
        "weights": {name: weight.numpy().tobytes() for name, weight in newest.weights.items()},
        "step": newest.progress.step,
        **{name: (folder / f"{name}.out").read_bytes() for name in FORMATS},
    }


def survive(folder: Path, phase: str, words: Sequence[Words], seconds: float, kills: int) -> int:
    """Kill the commands of a phase at random moments, and then let them end."""
    chance, survived = random.Random(f"{phase} {kills}"), 0
    attempts = 0
    while survived < kills:
        command = words[attempts % len(words)]
        attempts += 1
        assert attempts < 5 * kills, f"{phase} ends before it can be killed"
        if run_killed(folder, command, chance.uniform(0.2, 1.0) * seconds):
            survived += 1
            assert_nothing_damaged(folder)
        else:
            undo(folder, phase)
    for command in words:
        run(folder, command)
    return survived


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_fifty_kills_in_all_phases_are_survived(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, killed = write_inputs(tmp_path / "whole"), write_inputs(tmp_path / "killed")
    survived = 0
    for phase, words in commands(whole).items():
        seconds = sum(run(whole, command) for command in words) / len(words)
        survived += survive(killed, phase, commands(killed)[phase], seconds, KILLS[phase])
    assert result_of(killed) == result_of(whole)
    for name in FORMATS:
        lines = (killed / f"{name}.out").read_bytes().count(b"\n")
        assert lines == LINES * (2 if name == "n-best" else 1)
    total = sum(KILLS.values())
    with capsys.disabled():
        print(f"\nkills survived: {survived} of {total}")  # noqa: T201

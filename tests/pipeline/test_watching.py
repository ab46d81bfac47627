"""What a run tells of its faults and findings, on stderr and in the log."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.data.batch import Batch
from s2scli.model.seq2seq import Seq2Seq
from s2scli.pipeline.validation import Validator
from s2scli.training import update
from s2scli.training.checkpoint import list_checkpoints
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.objective import batch_objective
from s2scli.training.settings import TrainingSettings
from s2scli.workspace import Workspace
from tests.toy import prepare_toy, train_toy

pytestmark = pytest.mark.usefixtures("quick_fsync")
SETTINGS = (
    "training.log_every=2",
    "training.save_every=4",
    "training.validate_every=4",
    "training.min_batches=4",
    "training.precision=float32",
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run of 4 updates."""
    workspace = prepare_toy(tmp_path_factory.mktemp("watching") / "workspace", 80)
    train_toy(workspace, *SETTINGS, max_steps=4)
    return workspace


@pytest.fixture
def workspace(begun: Workspace, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(begun.root, tmp_path / "workspace"))


def resume(workspace: Workspace, steps: int, *arguments: str) -> Result:
    words = ["train", "--device", "cpu", "-w", str(workspace.root), "--max-steps", str(steps)]
    return CliRunner().invoke(app, [*words, *arguments])


def notes_of(workspace: Workspace) -> list[dict[str, Any]]:
    return [*MetricsLog(workspace.training / "metrics.jsonl").notes()]


def fail_at(monkeypatch: pytest.MonkeyPatch, steps: range) -> None:
    """Make the loss of some updates NaN."""

    def objective(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Tensor:
        loss = batch_objective(model, batch, settings, step)
        return loss * math.nan if step in steps else loss

    monkeypatch.setattr(update, "batch_objective", objective)


def test_skipped_updates_are_told_and_logged(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, range(6, 8))
    result = resume(workspace, 8, "--json")
    assert result.exit_code == 0 and '"skipped_updates": 2' in result.stdout
    skipped = notes_of(workspace)
    assert [(note["kind"], note["step"]) for note in skipped] == [("skipped", 6), ("skipped", 7)]
    for note in skipped:
        assert note["examples"] == len(note["rows"]) > 3
        told = ", ".join(map(str, note["rows"][:10]))
        assert f"warning: update {note['step']} skipped: its loss or gradient is not finite" in (
            result.stderr
        )
        more = f" and {note['examples'] - 10} more (metrics.jsonl)" * (note["examples"] > 10)
        assert f"training rows {told}{more}\n" in result.stderr


def test_a_run_goes_back_once_and_then_ends_with_status_70(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, range(7, 99))
    result = resume(workspace, 40)
    assert result.exit_code == 70
    assert (
        "warning: 10 or more updates in a row were skipped: going back to the weights of "
        "checkpoint 4 and on with the next data; if it happens again, training stops\n"
    ) in result.stderr
    *_, last = result.stderr.splitlines()
    assert last.startswith(
        "error: training diverged: 10 updates in a row, up to update 26, had a loss or gradient "
        "that is not finite, also after rolling back at update 16; "
    )
    kinds = [note["kind"] for note in notes_of(workspace)]
    assert kinds == [*["skipped"] * 10, "rolled_back", *["skipped"] * 10]
    monkeypatch.undo()
    assert resume(workspace, 30).exit_code == 0, "the checkpoints are sound"
    assert list_checkpoints(workspace.training)[0].name == "checkpoint-00000030"


def test_splits_are_told_once_and_what_does_not_fit_each_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def objective(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Tensor:
        if len(batch.source) > 1 or step == 7:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch_objective(model, batch, settings, step)

    monkeypatch.setattr(update, "give_back_freed_memory", lambda: None)
    monkeypatch.setattr(update, "batch_objective", objective)
    result = resume(workspace, 6)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("a batch does not fit into the memory of cpu and is split") == 1
    notes = notes_of(workspace)
    assert [(note["kind"], note["step"]) for note in notes] == [("split", 5), ("split", 6)]
    assert all(note["splits"] > 3 and note["rows"] == [] for note in notes)
    assert "update 6: split " in resume_again(workspace, monkeypatch).stderr
    result = resume(workspace, 8)
    assert result.exit_code == 70 and "does not fit into the memory of cpu" in result.stderr


def resume_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Result:
    shutil.rmtree(list_checkpoints(workspace.training)[0])
    return resume(workspace, 6, "-v")


def test_an_example_that_does_not_fit_is_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []

    def objective(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Tensor:
        rows.extend(batch.rows[1:2] if not rows else ())
        if rows[0] in batch.rows:
            raise MemoryError
        return batch_objective(model, batch, settings, step)

    monkeypatch.setattr(update, "give_back_freed_memory", lambda: None)
    monkeypatch.setattr(update, "batch_objective", objective)
    told = resume(workspace, 6).stderr
    line = f"update 5: left out training row {rows[0]}, which does not fit into the memory of cpu "
    assert line in told


def test_findings_are_told_logged_and_not_told_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def validate(self: Validator) -> dict[str, float]:
        self.signs.update({"same": 1.0, "same_reference": 0.1})
        return {"chrf": 1.0, "loss": 3.0, "perplexity": 9.0}

    monkeypatch.setattr(Validator, "__call__", validate)
    monkeypatch.setattr("s2scli.training.diagnosis.SETTLED", 5)
    first, second = resume(workspace, 12), resume(workspace, 16)
    assert first.exit_code == second.exit_code == 0
    line = "warning: step 12: 100% of the validation sources get the same output: "
    assert first.stderr.count(line) == 1
    assert "get the same output" not in second.stderr
    (note,) = (note for note in notes_of(workspace) if note["name"] == "same output")
    assert (note["kind"], note["step"]) == ("finding", 12)
    assert note["advice"] in first.stderr


def test_the_line_to_beat_is_told_at_the_start(tmp_path: Path) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    result = resume(workspace, 1, "-r", "tiny")
    log = MetricsLog(workspace.training / "metrics.jsonl")
    entropy = next(log.read())["signs"]["unigram_entropy"]
    assert 1 < entropy < 2.4, "of eight letters and the end"
    assert f"to beat: {entropy:.2f} nats per token (perplexity {math.exp(entropy):.1f})" in (
        result.stderr
    )

"""Which weights become the model: the best, their moving average, or the mean of some of them."""

import os
import shutil
import signal
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from s2scli.config import load_recipe
from s2scli.errors import CheckpointError, ConfigError
from s2scli.manifest import verify_folder
from s2scli.model.weights import read_tensors
from s2scli.pipeline import publishing
from s2scli.pipeline.publishing import Publisher
from s2scli.pipeline.train import TrainReport, TrainRequest, train
from s2scli.pipeline.validation import Validator
from s2scli.report.console import Talk
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.checkpoint import (
    Checkpoint,
    checkpoint_folder,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.progress import Progress
from s2scli.training.world import World
from s2scli.translation.model_folder import write_model_folder
from s2scli.workspace import Workspace
from tests.toy import prepare_toy
from tests.training.processes import connected
from tests.training.runs import make_run, training_settings

pytestmark = pytest.mark.usefixtures("quick_fsync")
MEAN = -1
MEAN_OF_3 = ("training.validate_every=2", "training.average_checkpoints=3")
SCORES = {0: 0.0, 2: 3.0, 3: 4.0, 4: 5.0, 6: 4.0, 8: 4.5, 10: 1.0, MEAN: 6.0}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return prepare_toy(tmp_path / "workspace", 80)


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[int, float]], None]:
    """Return what sets the score that validation gives at each update, and to the mean."""

    def set_scores(scores: Mapping[int, float]) -> None:
        def validate(self: Validator) -> Mapping[str, float]:
            progress = self.run.progress
            at = MEAN if progress.validated == progress.step else progress.step
            return {"chrf": scores[at], "loss": 1.0}

        monkeypatch.setattr(Validator, "__call__", validate)

    return set_scores


def run(workspace: Workspace, *assignments: str, steps: int = 8) -> TrainReport:
    request = TrainRequest("tiny", assignments, {"max_steps": steps}, "cpu")
    return train(workspace, request, Talk())


def facts(workspace: Workspace) -> Mapping[str, object]:
    return verify_folder(workspace.model, "model").facts


def model_of(workspace: Workspace) -> dict[str, Tensor]:
    return read_tensors(workspace.model / "model.safetensors")


def saved(workspace: Workspace, step: int, part: str = "model") -> dict[str, Tensor]:
    return read_tensors(checkpoint_folder(workspace.training, step) / f"{part}.safetensors")


def same(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(some[k], others[k]) for k in some)


def steps_of(workspace: Workspace) -> list[int]:
    return [int(folder.name[-8:]) for folder in list_checkpoints(workspace.training)]


Score = Callable[[Mapping[int, float]], None]


def test_a_mean_that_is_better_becomes_the_model(
    workspace: Workspace, score: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    score(SCORES)
    report = run(workspace, *MEAN_OF_3)
    assert (report.averaged, report.best["chrf"], report.best_step) == ([4, 6, 8], 6.0, 4)
    assert steps_of(workspace) == [8, 6, 4], "2 was among them until 8"
    three = [saved(workspace, step) for step in (4, 6, 8)]
    model = model_of(workspace)
    for name in model:
        torch.testing.assert_close(model[name], sum(weights[name] for weights in three) / 3)
    assert facts(workspace)["averaged"] == [4, 6, 8]
    assert facts(workspace)["scores"] == {"chrf": 6.0, "loss": 1.0}
    card = (workspace.model / "README.md").read_text(encoding="utf-8")
    assert "- the mean of the weights after updates 4, 6, 8" in card
    assert (
        "the mean of 3 checkpoints (steps 4, 6, 8) has chrf 6, the best checkpoint 5: "
        "the mean becomes the model" in capsys.readouterr().err
    )


@pytest.mark.parametrize("of_the_mean", [5.0, 4.9, float("nan"), float("inf")])
def test_a_mean_that_is_no_better_does_not(
    workspace: Workspace, score: Score, of_the_mean: float, capsys: pytest.CaptureFixture[str]
) -> None:
    score({**SCORES, MEAN: of_the_mean})
    report = run(workspace, *MEAN_OF_3)
    assert (report.averaged, report.best["chrf"], report.best_step) == ((), 5.0, 4)
    assert same(model_of(workspace), saved(workspace, 4))
    assert "averaged" not in facts(workspace)
    assert "the best checkpoint 5: the best checkpoint becomes the model" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_are_no_mean(
    workspace: Workspace, score: Score, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    score(SCORES)
    run(workspace, "training.validate_every=2", f"training.average_checkpoints={count}")
    assert "the mean of" not in capsys.readouterr().err
    assert steps_of(workspace) == [8, 6, 4], "the two newest and the best"


def test_a_stopped_run_ends_with_the_same_mean(
    workspace: Workspace, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = prepare_toy(tmp_path / "other", 80)
    score(SCORES)
    run(workspace, *MEAN_OF_3)
    whole = Validator.__call__

    def stopped_at_4(self: Validator) -> Mapping[str, float]:
        if self.run.progress.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "__call__", stopped_at_4)
        report = run(other, *MEAN_OF_3)
    assert (report.signal, report.step, report.averaged) == (signal.SIGTERM, 4, ())
    assert run(other, *MEAN_OF_3).averaged == [4, 6, 8]
    assert same(model_of(other), model_of(workspace))


def test_a_run_killed_before_the_mean_is_written_makes_it_the_next_time(
    workspace: Workspace, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(SCORES)

    def killed(*arguments: object) -> None:
        if arguments[-1].get("averaged"):  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        write_model_folder(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(publishing, "write_model_folder", killed)
        run(workspace, *MEAN_OF_3)
    assert same(model_of(workspace), saved(workspace, 4))
    assert run(workspace, *MEAN_OF_3).averaged == [4, 6, 8]
    assert run(workspace, *MEAN_OF_3).averaged == [4, 6, 8], "and says so again"
    assert facts(workspace)["averaged"] == [4, 6, 8]


def test_a_mean_gives_way_when_the_run_goes_on_to_none_that_is_better(
    workspace: Workspace, score: Score
) -> None:
    score(SCORES)
    run(workspace, *MEAN_OF_3)
    score({**SCORES, MEAN: 4.0})
    assert run(workspace, *MEAN_OF_3, steps=10).averaged == ()
    assert same(model_of(workspace), saved(workspace, 4))
    assert "averaged" not in facts(workspace)


def test_a_damaged_checkpoint_is_left_out_of_the_mean(
    workspace: Workspace, score: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    score(SCORES)
    run(workspace, *MEAN_OF_3)
    (checkpoint_folder(workspace.training, 6) / "model.safetensors").write_bytes(b"")
    report = run(workspace, *MEAN_OF_3)
    assert report.averaged == [4, 8]
    said = capsys.readouterr().err
    assert "checkpoint-00000006/model.safetensors: damaged" in said
    assert "not included in the mean" in said


def test_the_averaged_checkpoints_are_not_all_in_memory(
    workspace: Workspace, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[weakref.ref[Tensor]] = []
    before: list[int] = []

    def load(folder: Path) -> Checkpoint:
        before.append(sum(weights() is not None for weights in read))
        found = load_checkpoint(folder)
        read.append(weakref.ref(next(iter(found.weights.values()))))
        return found

    monkeypatch.setattr(publishing, "load_checkpoint", load)
    score(SCORES)
    assert run(workspace, *MEAN_OF_3).averaged == [4, 6, 8]
    assert before == [0, 1, 1], "only the one before, until it is replaced"


def test_all_processes_average_the_checkpoints_of_the_first(workspace: Workspace) -> None:
    """Each has a folder of its own here; 6 is damaged in one of them."""
    run(workspace, *MEAN_OF_3, steps=6)
    recipe, log = load_recipe("tiny"), MetricsLog(workspace.root / "log")
    tokenizers, made = Tokenizers.load(workspace.tokenizer), make_run(training_settings())
    damaged = Workspace(shutil.copytree(workspace.root, workspace.root.with_name("damaged")))
    (checkpoint_folder(damaged.training, 6) / "model.safetensors").write_bytes(b"")
    ranking = tuple((step, 1.0) for step in (2, 4, 6))

    def steps_of(*workspaces: Workspace) -> Sequence[list[int]]:
        def work(world: World) -> list[int]:
            own = replace(made, progress=Progress(ranking=ranking), world=world)
            publisher = Publisher(workspaces[world.rank], recipe, tokenizers, own, log, {})
            return [step for step, _ in publisher._best_weights(Talk(quiet=True))]

        return connected(2, work)

    assert steps_of(workspace, workspace) == [[2, 4, 6]] * 2
    assert steps_of(damaged, workspace) == [[2, 4]] * 2
    with pytest.raises(CheckpointError, match="file system that all hosts share"):
        steps_of(workspace, damaged)


def test_the_moving_average_is_the_model(workspace: Workspace, score: Score) -> None:
    score(SCORES)
    run(workspace, "training.validate_every=2", "training.ema_decay=0.9")
    average = saved(workspace, 4, "average")
    assert same(model_of(workspace), average) and not same(average, saved(workspace, 4))
    (workspace.model / "model.safetensors").unlink()
    run(workspace, "training.validate_every=2", "training.ema_decay=0.9")
    assert same(model_of(workspace), average), "mended"


def test_the_mean_of_moving_averages(workspace: Workspace, score: Score) -> None:
    score(SCORES)
    run(workspace, *MEAN_OF_3, "training.ema_decay=0.9")
    three = [saved(workspace, step, "average") for step in (4, 6, 8)]
    model = model_of(workspace)
    for name in model:
        torch.testing.assert_close(model[name], sum(weights[name] for weights in three) / 3)


def test_a_run_of_before_there_were_averages_goes_on(workspace: Workspace) -> None:
    run(workspace, steps=1)
    newest, *_ = list_checkpoints(workspace.training)
    checkpoint = load_checkpoint(newest)
    later = ("ema_decay", "average_checkpoints", "r_drop", "simcut", "scheduled_sampling")
    training = {k: v for k, v in checkpoint.settings["training"].items() if k not in later}
    assert len(training) == len(checkpoint.settings["training"]) - len(later)
    settings = {**checkpoint.settings, "training": training}
    save_checkpoint(workspace.training, replace(checkpoint, settings=settings))
    assert run(workspace, steps=2).step == 2


@pytest.mark.parametrize(
    "assignment",
    [
        "training.ema_decay=0.9",
        "training.average_checkpoints=2",
        "training.r_drop=1",
        "training.scheduled_sampling.kind=linear",
    ],
)
def test_what_changes_the_model_cannot_change_amid_a_run(
    workspace: Workspace, assignment: str
) -> None:
    run(workspace, steps=1)
    with pytest.raises(ConfigError, match=rf"other settings: .*{assignment.partition('=')[0]}"):
        run(workspace, assignment, steps=2)

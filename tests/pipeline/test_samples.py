"""Outputs over time: logged with consent only, and without a trace in the training."""

import pytest

from s2scli.pipeline.inspect_training import inspect_training
from s2scli.pipeline.train import TrainRequest, train
from s2scli.report.console import Talk
from s2scli.training.checkpoint import newest_checkpoint
from s2scli.training.samples_log import MAX_PIECES, SamplesLog
from s2scli.workspace import Workspace
from tests.toy import prepare_toy

pytestmark = pytest.mark.usefixtures("quick_fsync")
CHANGES = ("training.validate_every=3", "training.log_every=1", "training.ema_decay=0.9")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return prepare_toy(tmp_path_factory.mktemp("samples") / "workspace", 80)


def run(workspace: Workspace, name: str, *changes: str, steps: int = 6) -> Workspace:
    space = workspace.of_run(name)
    request = TrainRequest("tiny", [*CHANGES, *changes], {"max_steps": steps}, "cpu")
    train(space, request, Talk(quiet=True))
    return space


def test_samples_are_logged_and_training_stays_the_same(prepared: Workspace) -> None:
    plain = run(prepared, "plain")
    logged = run(prepared, "logged", "training.log_samples=3", "training.track=tensorboard")
    checkpoints = [newest_checkpoint(space.training)[0] for space in (plain, logged)]
    assert checkpoints[0] and checkpoints[1]
    for name, weight in checkpoints[0].weights.items():
        assert weight.equal(checkpoints[1].weights[name]), name
    assert not SamplesLog(plain.training / "samples.jsonl").path.exists()
    history = inspect_training(logged)
    assert [each.step for each in history.samples] == [0, 3, 6]
    assert {len(each.samples) for each in history.samples} == {3}
    sample = history.samples[-1].samples[0]
    best = history.best
    assert best and best.step in (3, 6)
    assert sample.source_pieces[-1] == "</s>" and len(sample.source_pieces) < MAX_PIECES
    assert all(abs(sum(row) - 1) < 0.02 for row in sample.attention)
    assert sample.reference == sample.source[::-1]
    assert history.updates[-1].values["busy_cores"] >= 0
    assert list((logged.training / "tensorboard").iterdir())


def test_logs_may_change_when_a_run_is_resumed(prepared: Workspace) -> None:
    run(prepared, "late")
    space = run(prepared, "late", "training.log_samples=1", steps=9)
    assert [each.step for each in inspect_training(space).samples] == [9]


def test_without_consent_no_text_is_logged(prepared: Workspace) -> None:
    space = run(prepared, "silent")
    rows = prepared.root.with_suffix(".tsv").read_text().split()
    longest = max(rows, key=len).encode()
    files = [path for path in space.training.rglob("*") if path.is_file()]
    assert files
    assert all(longest not in path.read_bytes() for path in files)

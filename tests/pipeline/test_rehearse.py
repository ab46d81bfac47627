"""A rehearsal: it leaves no trace, measures what a run needs, and names the stage that fails."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.batching import Lengths
from s2scli.data.store import Corpus
from s2scli.errors import OutOfMemoryError, S2SError, StorageError, UsageError
from s2scli.manifest import read_manifest
from s2scli.pipeline import rehearse as pipeline
from s2scli.pipeline.rehearse import (
    GROUP,
    KILLED_AT,
    LAST,
    LEARNED,
    OVERFIT_PAIRS,
    RUN,
    Rehearsal,
    longest_batch,
    rehearse,
)
from s2scli.pipeline.train import TrainRequest, open_run, train
from s2scli.report.console import Talk
from s2scli.training.checkpoint import list_checkpoints
from s2scli.workspace import Workspace
from tests.toy import prepare_toy, train_toy

pytestmark = pytest.mark.usefixtures("quick_fsync")
QUIET = Talk(quiet=True)
REQUEST = TrainRequest("tiny", ["training.batch_tokens=64"], device="cpu")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return prepare_toy(tmp_path_factory.mktemp("rehearse") / "workspace", 120)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stages in this process; a kill is an exception, and little is measured."""

    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (os.getpid(), signal.SIGKILL)
        raise KeyboardInterrupt

    def call(stage: pipeline.Stage, run: Workspace, request: TrainRequest) -> Rehearsal | None:
        try:
            return stage(run, request)
        except KeyboardInterrupt:
            return None

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(pipeline, "_in_process", call)
    monkeypatch.setattr(pipeline, "MEASURED_SECONDS", 0)


@pytest.mark.usefixtures("here")
def test_a_rehearsal_leaves_no_trace_and_measures(prepared: Workspace) -> None:
    train_toy(prepared, max_steps=1)
    before = {path: path.read_bytes() for path in prepared.root.rglob("*") if path.is_file()}
    found = rehearse(prepared, REQUEST, QUIET)
    after = {path: path.read_bytes() for path in prepared.root.rglob("*") if path.is_file()}
    assert after == before and not (prepared.root / GROUP).exists()
    assert found.recipe == "tiny" and found.parameters > 1000
    assert found.peak_memory_mb > 50
    assert found.epoch_minutes > 0 and found.epoch_cpu_minutes > 0
    assert found.updates_per_epoch > 10
    assert 0 < found.checkpoint_mb < found.disk_mb < found.most_disk_mb
    assert found.decoding_seconds > 0 and found.validation_seconds > 0
    assert found.learns and found.overfit[1] <= LEARNED * found.overfit[0]


@pytest.mark.usefixtures("here")
def test_a_model_to_start_from_brings_its_tokenizer(prepared: Workspace, tmp_path: Path) -> None:
    train_toy(prepared, max_steps=1)
    fresh = prepare_toy(tmp_path / "workspace", 60)
    request = replace(REQUEST, recipe=None, assignments=[], init_from=prepared.model)
    rehearse(fresh, request, QUIET)
    own, brought = (read_manifest(each.tokenizer, "tokenizer") for each in (prepared, fresh))
    assert brought.files == own.files


@pytest.mark.usefixtures("here")
def test_a_run_needs_the_disk_that_was_predicted(prepared: Workspace) -> None:
    found = rehearse(prepared, REQUEST, QUIET)
    run = prepared.of_run("real")
    train(run, replace(REQUEST, limits={"max_steps": LAST}), QUIET)
    folder, *_ = list_checkpoints(run.training)
    assert pipeline._size(folder) == pytest.approx(found.checkpoint_mb, rel=0.05)
    models = pipeline._size(run.model)
    assert found.disk_mb == pytest.approx(3 * found.checkpoint_mb + 2 * models, rel=0.05)


@pytest.mark.usefixtures("here")
def test_a_learning_rate_that_teaches_nothing_is_named(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "OVERFIT_UPDATES", 3)
    slow = ["training.optimizer.learning_rate=1e-9"]
    found = rehearse(prepared, TrainRequest("tiny", slow, device="cpu"), QUIET)
    assert not found.learns
    assert "another learning rate (--lr)" in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("here")
def test_a_disk_that_is_too_small_is_named(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "KEPT", 1000)
    leave(monkeypatch, 2 << 20)
    rehearse(prepared, REQUEST, QUIET)
    assert "2 MB are free" in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("here")
def test_a_disk_without_room_for_a_checkpoint_ends_the_rehearsal(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(monkeypatch, 1 << 20)
    with pytest.raises(StorageError, match=r"^rehearsal: .*1\.0 MB are free on the disk, and"):
        rehearse(prepared, REQUEST, QUIET)


def leave(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let the disk have this many free bytes."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": free}))


def test_the_longest_batch_is_full_of_the_longest_pairs(prepared: Workspace) -> None:
    batches = open_run(prepared.of_run("longest"), REQUEST, QUIET).batches
    split = batches.split
    longest = int(np.maximum(*split.lengths(0, len(split))).max()) + 1
    batch = longest_batch(batches)
    size = len(batch.source)
    assert max(batch.source.shape[1], batch.target_output.shape[1]) == longest
    assert size * longest <= batches.batch_tokens < (size + 1) * longest


def test_long_splits_are_read_in_parts(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = open_run(prepared.of_run("parts"), REQUEST, QUIET).batches
    lengths, parts = batches.split.lengths, list[int]()

    def counted(begin: int, end: int) -> tuple[Lengths, Lengths]:
        parts.append(end - begin)
        return lengths(begin, end)

    whole = longest_batch(batches)
    monkeypatch.setattr(batches.split, "lengths", counted)
    monkeypatch.setattr(pipeline, "SCANNED", 40)
    assert longest_batch(batches).source.equal(whole.source)
    sizes = sorted(map(int, lengths(0, len(batches.split))[1]))
    middle = pipeline._usual_batch(batches).target_mask.sum(1) - 1
    assert len(middle) == OVERFIT_PAIRS
    assert sizes[0] < middle.float().mean() < sizes[-1]
    assert max(parts) == 40 and sum(parts) == 2 * len(batches.split)


def test_a_process_that_is_killed_early_is_a_matter_of_memory(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_in_process", lambda *others: None)
    with pytest.raises(OutOfMemoryError, match=f"killed before update {KILLED_AT}"):
        rehearse(prepared, REQUEST, QUIET)
    monkeypatch.setattr(pipeline, "_check_killed", lambda run: None)
    with pytest.raises(OutOfMemoryError, match="use smaller batches"):
        rehearse(prepared, REQUEST, QUIET)
    assert not (prepared.root / GROUP).exists()


@pytest.mark.usefixtures("here")
def test_some_of_many_validation_examples_are_timed(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "VALIDATION_EXAMPLES", 2)
    assert len(Corpus.load(prepared.corpus).open_split("valid")) > 2
    assert rehearse(prepared, REQUEST, QUIET).validation_seconds > 0


def test_a_run_is_not_rehearsed_by_mistake(prepared: Workspace) -> None:
    train_toy(prepared, max_steps=1)
    with pytest.raises(UsageError, match=r"this workspace has one already; name .* \(-r NAME\)"):
        rehearse(prepared, TrainRequest(device="cpu"), QUIET)


def test_a_budget_is_not_rehearsed(prepared: Workspace) -> None:
    with pytest.raises(UsageError, match="leave out --budget"):
        rehearse(prepared, replace(REQUEST, budget=5.0), QUIET)


def wait_long(run: Workspace, request: TrainRequest) -> None:
    """Take longer than a test may."""
    time.sleep(1000)


def test_a_signal_ends_the_process_of_a_stage(tmp_path: Path) -> None:
    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    def send() -> None:
        while not multiprocessing.active_children():
            time.sleep(0.01)
        time.sleep(1)  # now its result is waited for
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, end)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        with pytest.raises(SystemExit, match=str(128 + signal.SIGUSR1)):
            pipeline._in_process(wait_long, Workspace(tmp_path), REQUEST)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_stages_in_processes_of_their_own(prepared: Workspace) -> None:
    found = rehearse(prepared, REQUEST, QUIET)
    assert found.learns and found.peak_memory_mb > 50
    run = prepared.of_run(RUN, GROUP)
    with pytest.raises(S2SError, match=r"training\.sed; did you mean"):
        wrong = replace(REQUEST, assignments=["training.sed=1"])
        pipeline._in_process(pipeline._train_until_killed, run, wrong)

"""A run that was stopped, at any moment, goes on as if it had never been.

A run can be stopped only between updates: batches that make one update together are read and
used inside one call, and the counters move when it is over. So there is no save point amid
accumulation to be tested; there are those before, at and after the end of an epoch, at a
validation and beside one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.data.encoded import EncodedSplit
from s2scli.model.weights import model_weights
from s2scli.pipeline.start import restore_weights
from s2scli.settings import Tree
from s2scli.training.checkpoint import (
    Checkpoint,
    checkpoint_folder,
    checkpoint_up_to,
    load_checkpoint,
    newest_checkpoint,
    optimizer_tensors,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from s2scli.training.epochs import TrainingBatches
from s2scli.training.loop import Run, train
from s2scli.training.loss import score_batch
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from tests.models import MODELS, each_model
from tests.training.runs import CPU, make_run, training_settings, write_split

pytestmark = pytest.mark.usefixtures("quick_fsync")
STEPS = 14
WALL_CLOCK = ("seconds", "tokens_per_second")
Weights = dict[str, bytes]
Digest = tuple[Weights, Weights, Weights, dict[int, Weights], list[dict[str, Any]], Progress]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"))


def settings_of(**changes: object) -> TrainingSettings:
    return training_settings(**{"log_every": 3, "limits": {"max_steps": STEPS}} | changes)


def with_dropout(tree: Tree) -> Tree:
    """Return a model's settings with dropout wherever there can be some."""
    parts = {name: dict(tree[name]) for name in ("source", "target", "encoder", "decoder")}
    for part in parts.values():
        part["dropout"] = 0.3
    return {**tree, **parts}


def go_on(
    folder: Path,
    split: EncodedSplit,
    settings: TrainingSettings,
    model: Tree,
    stop_at: int | None = None,
    failing: range = range(0),
) -> Run:
    """Begin a run in `folder`, or go on with the one there, as `s2s train` does.

    Args:
        folder: holds the checkpoints and the log.
        split: the training data.
        settings: of the training.
        model: of the model.
        stop_at: the update at which a signal comes.
        failing: updates without a finite gradient.
    """
    run = make_run(settings, model)
    checkpoint, _ = newest_checkpoint(folder)
    if checkpoint:
        restore_weights(run, checkpoint)
        restore_random_state(checkpoint.random_state, CPU)
        run.progress = checkpoint.progress
    log = MetricsLog(folder / "metrics.jsonl")
    log.forget_after(run.progress.step if checkpoint else -1, run.progress.validated)

    def save(progress: Progress) -> None:
        weights, state = model_weights(run.model), optimizer_tensors(run.optimizer)
        tensors = (weights, state, random_state(CPU), run.average.weights)
        save_checkpoint(folder, Checkpoint({}, {}, progress, {}, *tensors))

    def stop() -> int:
        return 15 * (run.progress.step == stop_at)

    def roll_back(step: int) -> int | None:
        found = checkpoint_up_to(folder, step)
        if found:
            restore_weights(run, found)
        return found.progress.step if found else None

    if failing:
        fail_in(run, failing)
    batches, validate = TrainingBatches(split, settings), lambda: validation_loss(run, split)
    for event in train(run, batches, validate, save, stop, roll_back):
        log.add(event)
    return run


def fail_in(run: Run, steps: range) -> None:
    """Make the gradients of some updates NaN, until the run goes back to a checkpoint."""

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        fails = run.progress.step + 1 in steps and not run.progress.rolled_back
        return gradient * float("nan") if fails else gradient

    next(run.model.parameters()).register_hook(spoil)  # type: ignore[no-untyped-call]


def validation_loss(run: Run, split: EncodedSplit) -> Mapping[str, float]:
    """Score the first batch of an epoch that is never trained on."""
    (batch, *_), _ = TrainingBatches(split, run.settings).next(Progress(epoch=999))
    with torch.no_grad():
        logits = run.model.logits(run.model(batch).hidden[batch.target_mask])
    sums = score_batch(logits, batch.target_output[batch.target_mask], 0.0)
    return {"loss": float(sums.objective) / sums.tokens}


def digest(folder: Path, run: Run) -> Digest:
    """Return everything a run is, to the bit, but for the time it took.

    These are weights, optimizer, moving average, the checkpoints that a model is made of, the log
    and the counters.
    """
    whole_log = MetricsLog(folder / "metrics.jsonl")
    log = [
        {name: value for name, value in record.items() if name not in WALL_CLOCK}
        for record in (*whole_log.read(), *whole_log.notes())
    ]
    best = {
        step: bytes_of(load_checkpoint(checkpoint_folder(folder, step)).judged)
        for step in run.progress.best_steps
    }
    return (
        bytes_of(model_weights(run.model)),
        bytes_of(optimizer_tensors(run.optimizer)),
        bytes_of(run.average.weights),
        best,
        log,
        replace(run.progress, seconds=0.0, logged_seconds=0.0),
    )


def bytes_of(tensors: Mapping[str, torch.Tensor]) -> Weights:
    return {name: tensor.detach().numpy().tobytes() for name, tensor in tensors.items()}


def new_folder(root: Path) -> Iterator[Path]:
    """Yield ever new empty folders."""
    number = 0
    while True:
        (root / str(number)).mkdir()
        yield root / str(number)
        number += 1


@each_model
def test_every_model_goes_on_bit_for_bit(tmp_path: Path, split: EncodedSplit, tree: Tree) -> None:
    folders, settings, model = new_folder(tmp_path), settings_of(), with_dropout(tree)
    whole = next(folders)
    expected = digest(whole, go_on(whole, split, settings, model))
    stopped = next(folders)
    go_on(stopped, split, settings, model, stop_at=5)
    assert digest(stopped, go_on(stopped, split, settings, model)) == expected


def test_dropout_is_on(tmp_path: Path, split: EncodedSplit) -> None:
    """Without the saved random state the bits differ, so the test above has teeth."""
    settings, model = settings_of(), with_dropout(MODELS["gru-additive-after"])
    runs = []
    for seed in (1, 2):
        run = make_run(settings, model)
        torch.manual_seed(seed)
        (batches, _) = TrainingBatches(split, settings).next(Progress())
        run.model.train()
        runs.append(run.model(batches[0]).hidden)
    assert not torch.equal(*runs)


VARIETIES: dict[str, dict[str, object]] = {
    "accumulation": {"accumulate": 2},
    "plateau": {"schedule": {"kind": "plateau", "patience": 1}},
    "warm-up": {"schedule": {"kind": "inverse_sqrt", "warmup_steps": 6}},
    "momentum": {"optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}},
    "adafactor": {"optimizer": {"kind": "adafactor"}},
    "bfloat16": {"precision": "bfloat16"},
    "moving average": {"ema_decay": 0.9},
    "mean of the best": {"average_checkpoints": 3},
    "R-Drop": {"r_drop": 1.0},
    "SimCut": {"simcut": 3.0, "simcut_share": 0.2},
    "scheduled sampling": {"scheduled_sampling": {"kind": "exponential", "base": 0.8}},
    "all of it": {
        "ema_decay": 0.99,
        "average_checkpoints": 2,
        "r_drop": 5.0,
        "scheduled_sampling": {"kind": "inverse_sigmoid", "k": 3},
        "accumulate": 2,
        "precision": "bfloat16",
    },
    "token dropout": {"source_token_dropout": 0.2, "target_token_dropout": 0.2},
    "denoising": {"noise": {"permute": 3, "span": 0.3, "delete": 0.1, "mask": 0.1}},
    "frozen": {"freeze": ["encoder", "target"]},
}


@pytest.mark.parametrize("changes", VARIETIES.values(), ids=VARIETIES.keys())
def test_every_way_to_train_goes_on_bit_for_bit(
    tmp_path: Path, split: EncodedSplit, changes: dict[str, object]
) -> None:
    """Stopped at a validation and after it; before, at and after the end of an epoch."""
    settings, model = settings_of(**changes), with_dropout(MODELS["gru-additive-after"])
    folders = new_folder(tmp_path)
    whole, stopped = next(folders), next(folders)
    expected = digest(whole, go_on(whole, split, settings, model))
    updates = TrainingBatches(split, settings).updates_per_epoch
    assert updates + 1 < STEPS, "an epoch ends inside the run"
    validations = [r["step"] for r in expected[4] if r["kind"] == "validation"]
    assert validations == [0, 4, 8, 12, STEPS]
    for step in sorted({4, 5, updates - 1, updates, updates + 1}):
        assert go_on(stopped, split, settings, model, stop_at=step).progress.step == step
    assert digest(stopped, go_on(stopped, split, settings, model)) == expected


def test_stopped_at_every_step_of_one_run(tmp_path: Path, split: EncodedSplit) -> None:
    settings, model = settings_of(), with_dropout(MODELS["lstm-feeding"])
    folders = new_folder(tmp_path)
    whole, stopped = next(folders), next(folders)
    expected = digest(whole, go_on(whole, split, settings, model))
    for step in range(STEPS):
        go_on(stopped, split, settings, model, stop_at=step)
    assert digest(stopped, go_on(stopped, split, settings, model)) == expected


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_stopped_amid_updates_that_are_skipped_and_after_rolling_back(
    tmp_path: Path, split: EncodedSplit, ema_decay: float
) -> None:
    """Updates 8 to 18 are skipped; at 18 the run goes back to checkpoint 6, and on."""
    settings = settings_of(
        ema_decay=ema_decay, limits={"max_steps": 24}, validate_every=100, save_every=6
    )
    model, failing, folders = (
        with_dropout(MODELS["lstm-feeding"]),
        range(8, 99),
        new_folder(tmp_path),
    )
    whole, stopped = next(folders), next(folders)
    expected = digest(whole, go_on(whole, split, settings, model, failing=failing))
    assert expected[-1].rolled_back == 18 and expected[-1].skipped == 11
    assert [note["kind"] for note in MetricsLog(whole / "metrics.jsonl").notes()] == [
        *["skipped"] * 11,
        "rolled_back",
    ]
    for step in (5, 7, 8, 12, 13, 17, 18, 19):
        go_on(stopped, split, settings, model, stop_at=step, failing=failing)
    assert digest(stopped, go_on(stopped, split, settings, model, failing=failing)) == expected


class Killed(BaseException):
    """What stands for a kill: nothing below catches it, and nothing after it is written."""


def test_killed_amid_a_long_validation(
    tmp_path: Path, split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No update is lost, on schedule or at the end, and patience and the rate are the same."""
    monkeypatch.setattr("s2scli.training.loop.LONG_VALIDATION", -1.0)
    limits, plateau = {"max_steps": STEPS, "patience": 9}, {"kind": "plateau", "patience": 1}
    settings = settings_of(limits=limits, schedule=plateau, save_every=100)
    model, folders = with_dropout(MODELS["gru-dot-after"]), new_folder(tmp_path)
    whole, killed = next(folders), next(folders)
    expected = digest(whole, go_on(whole, split, settings, model))

    def kill(run: Run, split: EncodedSplit) -> Mapping[str, float]:
        if run.progress.step in (0, lost):
            return validation_loss_of(run, split)
        raise Killed

    validation_loss_of, lost = validation_loss, 0
    for step in (4, 8, 12, STEPS):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setitem(globals(), "validation_loss", kill)
            go_on(killed, split, settings, model)
        checkpoint, _ = newest_checkpoint(killed)
        assert checkpoint and checkpoint.progress.step == step
        lost = step
    assert digest(killed, go_on(killed, split, settings, model)) == expected


@pytest.mark.parametrize("saves", range(6))
def test_killed_amid_a_validation_or_a_save(
    tmp_path: Path, split: EncodedSplit, saves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log may be ahead of the checkpoint; what is done again stands in it once."""
    settings, model = settings_of(), with_dropout(MODELS["gru-dot-after"])
    folders = new_folder(tmp_path)
    whole, killed = next(folders), next(folders)
    expected = digest(whole, go_on(whole, split, settings, model))
    left, real_save = iter(range(saves)), save_checkpoint

    def kill(folder: Path, checkpoint: Checkpoint) -> None:
        if next(left, None) is None:
            raise Killed
        real_save(folder, checkpoint)

    go_on(killed, split, settings, model, stop_at=4)  # a checkpoint without its validation
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setitem(globals(), "save_checkpoint", kill)
        go_on(killed, split, settings, model)
    assert digest(killed, go_on(killed, split, settings, model)) == expected

"""Checkpoints appear whole or not at all, and a damaged one is never taken for a whole one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s2scli.errors import CheckpointError, MissingInputError, StorageError
from s2scli.files import FILES, Files
from s2scli.training.checkpoint import (
    Checkpoint,
    checkpoint_folder,
    encode_tensors,
    list_checkpoints,
    load_checkpoint,
    load_optimizer,
    load_weights,
    newest_checkpoint,
    read_tensors,
    save_checkpoint,
    settings_difference,
    sweep,
)
from s2scli.training.progress import Progress
from tests.faults import KINDS, each_fault
from tests.power_loss import RecordingFiles, crash_states, write_tree

pytestmark = pytest.mark.usefixtures("quick_fsync")
each_kind = pytest.mark.parametrize(
    ("kind", "lasting"), [*((kind, False) for kind in KINDS), ("full", True), ("half", True)]
)
PARTS = (
    "average.safetensors",
    "manifest.json",
    "model.safetensors",
    "optimizer.safetensors",
    "random.safetensors",
    "state.json",
)


def checkpoint_at(step: int, *, best_step: int = 0) -> Checkpoint:
    weights = {"weight": torch.full((2, 3), float(step))}
    return Checkpoint(
        {"training": {"seed": 1}},
        {"corpus": "c", "tokenizer": "t"},
        Progress(step=step, best_step=best_step),
        {"threads": 1},
        weights,
        {"0.step": torch.tensor(float(step))},
        {"cpu": torch.arange(8, dtype=torch.uint8)},
        {"weight": torch.full((2, 3), step / 2)},
    )


def save(training: Path, step: int, *, best_step: int = 0, files: Files = FILES) -> Path:
    return save_checkpoint(training, checkpoint_at(step, best_step=best_step), files)


def recovered_step(training: Path) -> int:
    """Start as `s2s train` does; return the step it would resume from, -1 for none."""
    sweep(training)
    checkpoint, _ = newest_checkpoint(training)
    assert not [path.name for path in training.iterdir() if path.name.startswith(".")]
    if checkpoint is None:
        return -1
    step = checkpoint.progress.step
    torch.testing.assert_close(checkpoint.weights["weight"], torch.full((2, 3), float(step)))
    return step


def steps(training: Path) -> list[int]:
    return [int(folder.name[-8:]) for folder in list_checkpoints(training)]


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = checkpoint_at(7, best_step=3)
    loaded = load_checkpoint(save_checkpoint(tmp_path, saved))
    for name in ("settings", "made_from", "progress", "machine"):
        assert getattr(loaded, name) == getattr(saved, name)
    for name in ("weights", "optimizer", "random_state", "average"):
        tensors, expected = getattr(loaded, name), getattr(saved, name)
        assert tensors.keys() == expected.keys()
        assert all(torch.equal(tensors[key], expected[key]) for key in expected)


def test_the_two_newest_and_the_best_stay(tmp_path: Path) -> None:
    for step in (0, 10, 20, 30, 40):
        save(tmp_path, step, best_step=10 if step >= 10 else 0)
    assert steps(tmp_path) == [40, 30, 10]
    save(tmp_path, 50, best_step=50)
    assert steps(tmp_path) == [50, 40]


def test_those_to_be_averaged_stay(tmp_path: Path) -> None:
    for step in (0, 10, 20, 30, 40, 50):
        checkpoint = checkpoint_at(step, best_step=10)
        ranking = ((10, 3.0), (20, 2.0)) if step > 20 else ()
        progress = replace(checkpoint.progress, ranking=ranking)
        save_checkpoint(tmp_path, replace(checkpoint, progress=progress))
    assert steps(tmp_path) == [50, 40, 20, 10]


def test_a_checkpoint_without_an_average_has_no_file_for_it(tmp_path: Path) -> None:
    """As those of before there was one."""
    folder = save_checkpoint(tmp_path, replace(checkpoint_at(7), average={}))
    assert not (folder / "average.safetensors").exists()
    loaded = load_checkpoint(folder)
    assert loaded.average == {} and loaded.judged is loaded.weights
    assert checkpoint_at(7).judged["weight"][0, 0] == 3.5


def test_the_newest_is_told_by_its_step_not_by_its_time(tmp_path: Path) -> None:
    save(tmp_path, 20, best_step=20)
    save(tmp_path, 3, best_step=20)
    assert recovered_step(tmp_path) == 20


def test_no_checkpoint_is_no_fault(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "nothing") == (None, [])
    with pytest.raises(MissingInputError, match="no checkpoint here"):
        load_checkpoint(checkpoint_folder(tmp_path, 1))


@each_kind
def test_a_fault_at_any_operation_leaves_a_whole_checkpoint(
    tmp_path: Path, kind: str, lasting: bool
) -> None:
    training = tmp_path / "training"

    def begin() -> None:
        FILES.remove(training)
        save(training, 10)
        save(training, 20)

    def act(files: Files) -> None:
        save(training, 30, files=files)

    for finished in each_fault(begin, act, kind, lasting=lasting):
        assert recovered_step(training) in ([30] if finished else [20, 30])


@each_kind
def test_saving_a_step_again_never_loses_it(tmp_path: Path, kind: str, lasting: bool) -> None:
    training = tmp_path / "training"

    def begin() -> None:
        FILES.remove(training)
        save(training, 10)
        save(training, 20)

    for _ in each_fault(
        begin, lambda files: save(training, 20, files=files), kind, lasting=lasting
    ):
        assert recovered_step(training) == 20


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    save(tmp_path, 10)

    class Full(Files):
        def write(self, path: Path, data: bytes) -> None:
            path.write_bytes(data[:5])
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match=r"cannot write .*checkpoint-00000020: No space"):
        save(tmp_path, 20, files=Full())
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000010"]


def test_a_power_cut_loses_no_acknowledged_checkpoint(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    files = RecordingFiles(disk)
    acknowledged = {0: -1}
    for step in (10, 20, 20, 30):  # the same step twice, and enough that the oldest goes
        save(disk / "training", step, best_step=step, files=files)
        acknowledged[len(files.history)] = step
    assert steps(disk / "training") == [30, 20]
    recovered: dict[str, int] = {}
    for end in range(len(files.history) + 1):
        at_least = max(step for event, step in acknowledged.items() if event <= end)
        for tree in crash_states(files, files.history[:end]):
            if repr(tree) not in recovered:
                folder = tmp_path / str(len(recovered))
                write_tree(tree, folder)
                recovered[repr(tree)] = recovered_step(folder / "training")
            assert recovered[repr(tree)] >= at_least
    assert len(recovered) > 100


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "first byte": lambda path: flip(path, 0),
    "middle byte": lambda path: flip(path, path.stat().st_size // 2),
    "last byte": lambda path: flip(path, path.stat().st_size - 2),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "a folder": lambda path: make_folder(path),
}


def make_folder(path: Path) -> None:
    """Put a folder where a file was."""
    path.unlink()
    path.mkdir()


def flip(path: Path, index: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[index] ^= 0x40
    path.write_bytes(content)


def test_no_flipped_bit_of_the_manifest_goes_unnoticed(tmp_path: Path) -> None:
    path = save(tmp_path, 10) / "manifest.json"
    whole = path.read_bytes()
    for index in range(0, len(whole), 3):
        flip(path, index)
        with pytest.raises(CheckpointError, match="checkpoint-00000010"):
            load_checkpoint(path.parent)
        path.write_bytes(whole)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, part: str, damage: Callable[[Path], object]
) -> None:
    older, newer = save(tmp_path, 10), save(tmp_path, 20)
    damage(newer / part)
    checkpoint, faults = newest_checkpoint(tmp_path)
    assert checkpoint is not None and checkpoint.progress.step == 10
    assert len(faults) == 1 and str(newer) in faults[0]
    damage(older / part)
    with pytest.raises(CheckpointError, match=r"every checkpoint is damaged: .*--restart"):
        newest_checkpoint(tmp_path)


def test_every_bit_of_the_weights_is_checked(tmp_path: Path) -> None:
    path = save(tmp_path, 10) / "model.safetensors"
    whole = path.read_bytes()
    for index in range(len(whole)):
        flip(path, index)
        with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged"):
            load_checkpoint(path.parent)
        path.write_bytes(whole)


def test_counters_that_are_none_are_refused(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, replace(checkpoint_at(1), machine={"threads": 2}))
    assert load_checkpoint(folder).machine == {"threads": 2}
    strange = replace(checkpoint_at(2), progress=Progress(step=2, seconds="soon"))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"state\.json: damaged"):
        load_checkpoint(save_checkpoint(tmp_path, strange))


def test_tied_weights_are_written_for_each_name(tmp_path: Path) -> None:
    shared = torch.arange(6.0).view(2, 3)
    (tmp_path / "file").write_bytes(encode_tensors({"a": shared, "b": shared, "turned": shared.T}))
    tensors = read_tensors(tmp_path / "file")
    assert torch.equal(tensors["a"], shared) and torch.equal(tensors["b"], shared)
    assert torch.equal(tensors["turned"], shared.T)


def test_what_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\0" * 7, b"\xff" * 100, b"\x80\x04K\x01."):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(CheckpointError, match="file: not a safetensors file"):
            read_tensors(tmp_path / "file")


WRONG_WEIGHTS = {
    "missing": ({}, "weights are not this recipe's"),
    "unknown": ({"weight": torch.ones(1, 2), "odd": torch.ones(1)}, "odd on one side only"),
    "shape": ({"weight": torch.ones(2, 1)}, r"weight is torch.float32 \(2, 1\), the recipe wants"),
    "type": ({"weight": torch.ones(1, 2).double()}, "weight is torch.float64"),
    "nan": ({"weight": torch.tensor([[1.0, float("nan")]])}, "weight holds values that are not"),
    "inf": ({"weight": torch.tensor([[1.0, float("inf")]])}, "weight holds values that are not"),
}


@pytest.mark.parametrize(("weights", "message"), WRONG_WEIGHTS.values(), ids=WRONG_WEIGHTS.keys())
def test_weights_of_another_model_are_refused(
    weights: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(CheckpointError, match=f"here: .*{message}"):
        load_weights(torch.nn.Linear(2, 1, bias=False), weights, "here")


@pytest.mark.parametrize("key", ["2.step", "step", "", "-1.step", "0x0.step"])
def test_the_state_of_another_optimizer_is_refused(key: str) -> None:
    optimizer = torch.optim.Adam(torch.nn.Linear(2, 1).parameters())
    with pytest.raises(CheckpointError, match="the optimizer's state has an odd entry"):
        load_optimizer(optimizer, {key: torch.ones(1)})


def test_differences_are_told_by_path() -> None:
    old = {"a": {"b": 1, "c": "x"}, "gone": True, "same": 0.5}
    new = {"a": {"b": 2, "c": "x"}, "new": None, "same": 0.5}
    assert settings_difference(old, new) == [
        "a.b: 1 -> 2",
        "gone: true -> (not set)",
        "new: (not set) -> null",
    ]
    assert settings_difference(old, old) == []

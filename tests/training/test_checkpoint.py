"""Checkpoints appear whole or not at all, and a damaged one is never taken for a whole one."""

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.errors import CheckpointError, MissingInputError, StorageError
from s2scli.files import FILES, Files
from s2scli.training.checkpoint import (
    Checkpoint,
    checkpoint_folder,
    checkpoint_up_to,
    list_checkpoints,
    load_checkpoint,
    load_optimizer,
    newest_checkpoint,
    optimizer_tensors,
    same_checkpoint,
    save_checkpoint,
    settings_difference,
    sweep,
)
from s2scli.training.progress import Progress
from s2scli.training.world import ALONE, World
from tests.faults import KINDS, each_fault, seal
from tests.power_loss import RecordingFiles, crash_states, write_tree
from tests.training.processes import connected

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
        Progress(step=step, best_step=best_step, saved=step, safe=step),
        {"threads": 1},
        weights,
        {"0.step": torch.tensor(float(step))},
        {"cpu": torch.Generator().manual_seed(step).get_state()},
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


def test_those_to_roll_back_to_stay(tmp_path: Path) -> None:
    """Not the newest, which a stop may have saved amid updates that fail."""
    for step in (0, 10, 20, 30, 40, 50):
        checkpoint = checkpoint_at(step, best_step=step)
        progress = replace(checkpoint.progress, safe=min(10, step), saved=min(20, step))
        save_checkpoint(tmp_path, replace(checkpoint, progress=progress))
    assert steps(tmp_path) == [50, 40, 20, 10]
    found = checkpoint_up_to(tmp_path, 10)
    assert found and found.progress.step == 10
    found = checkpoint_up_to(tmp_path, 45)
    assert found and found.progress.step == 40
    (tmp_path / "checkpoint-00000010" / "state.json").write_text("{}")
    assert checkpoint_up_to(tmp_path, 19) is None


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


def test_all_processes_load_what_the_first_chooses(tmp_path: Path) -> None:
    for step in (10, 20):
        save(tmp_path, step)
    asked: list[int] = []

    def work(world: World) -> list[Checkpoint | None]:
        def choose(step: int) -> Checkpoint | None:
            asked.append(world.rank)
            return checkpoint_up_to(tmp_path, step)

        return [same_checkpoint(tmp_path, world, partial(choose, step)) for step in (30, 15, 5)]

    for found in connected(2, work):
        assert [each and each.progress.step for each in found] == [20, 10, None]
    assert asked == [0, 0, 0]
    alone = same_checkpoint(tmp_path, ALONE, lambda: checkpoint_up_to(tmp_path, 15))
    assert alone and alone.progress.step == 10


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda folder: (folder / "state.json").unlink(), r"/state\.json: missing or unreadable"),
        (lambda folder: (folder / "manifest.json").unlink(), r"no checkpoint here \(it has no man"),
        (shutil.rmtree, r"no checkpoint here \(it has no manifest\.json\), but the first process"),
        (
            lambda folder: save_checkpoint(folder.parent, replace(checkpoint_at(20), average={})),
            "not the checkpoint that the first process of the run has there",
        ),
    ],
)
def test_a_process_that_does_not_find_the_same_checkpoint_ends_all(
    tmp_path: Path, change: Callable[[Path], object], fault: str
) -> None:
    folders = [tmp_path / "shared", tmp_path / "own"]
    for folder in folders:
        save(folder, 10)
        save(folder, 20)
    change(checkpoint_folder(folders[1], 20))

    def work(world: World) -> str:
        folder = folders[world.rank == 1]
        with pytest.raises(CheckpointError) as refusal:
            same_checkpoint(folder, world, lambda: checkpoint_up_to(folder, 20))
        return str(refusal.value)

    first, *others = connected(3, work)
    assert others == [first, first]
    assert re.fullmatch(
        rf"host .+: .*own/checkpoint-00000020.*{fault}.*; the workspace must be on a file system "
        "that all hosts share",
        first,
    )


def test_an_error_of_the_choice_is_raised_by_all(tmp_path: Path) -> None:
    (save(tmp_path, 10) / "state.json").unlink()

    def work(world: World) -> str:
        with pytest.raises(CheckpointError, match="every checkpoint is damaged") as refusal:
            same_checkpoint(tmp_path, world, lambda: newest_checkpoint(tmp_path)[0])
        return str(refusal.value)

    assert len({*connected(2, work)}) == 1


def test_what_was_just_written_stays_and_later_ones_that_are_damaged_go(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        save(tmp_path, step, best_step=5)
    for step in (10, 15):
        (checkpoint_folder(tmp_path, step) / "state.json").write_text("damage")
    assert recovered_step(tmp_path) == 5
    save(tmp_path, 6, best_step=0)
    assert steps(tmp_path) == [6, 5]
    assert recovered_step(tmp_path) == 6


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


class Filling(Files):
    """A disk with this much room."""

    def __init__(self, room: int) -> None:
        self.room, self.asked = room, Path()

    def free_bytes(self, path: Path) -> int:
        self.asked = path
        return self.room


def test_a_checkpoint_needs_room_for_two(tmp_path: Path) -> None:
    save(tmp_path, 10)
    folder = checkpoint_folder(tmp_path, 20)
    needed = 2 * checkpoint_at(20).bytes
    written = sum(path.stat().st_size for path in (tmp_path / "checkpoint-00000010").iterdir())
    assert 2 * written > needed > written - 5_000, "all but the headers and the JSON"
    disk = Filling(needed - 1)
    with pytest.raises(StorageError, match=r"cannot write .*20: 0\.0 MB are free on the disk, and"):
        save(tmp_path, 20, files=disk)
    assert disk.asked == folder and steps(tmp_path) == [10]
    save(tmp_path, 20, files=Filling(needed))
    assert steps(tmp_path) == [20, 10]


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


@pytest.mark.parametrize(
    ("part", "values"),
    [
        *(("machine", {"threads": count}) for count in ("x", -5, 0, 10**30, 1.5, True, None, [1])),
        *(("machine", {name: -1}) for name in ("processes", "batch plan")),
        *(("machine", {"torch": text}) for text in ("x" * 10_000, 1.5, None)),
        *(("progress", {name: -1}) for name in ("step", "epoch", "batch", "best_step", "skipped")),
        *(("progress", {"epoch": epoch}) for epoch in (10**30, "1", 1.5, None, True)),
        *(("progress", {"best_score": score}) for score in ("nan", "x", True)),
        *(("progress", {"ranking": pairs}) for pairs in ([[1]], [[-1, 0.5]], 7, [["a", 1]])),
        *(("progress", {"seconds": time}) for time in (-1.0, "soon", None)),
        ("progress", {"validated": -2}),
        ("progress", {"plateau": {"scale": -1.0}}),
    ],
)
def test_values_behind_a_right_checksum_are_checked(
    tmp_path: Path, part: str, values: dict[str, Any]
) -> None:
    folder = save(tmp_path, 10)
    state = json.loads((folder / "state.json").read_bytes())
    state[part] |= values
    (folder / "state.json").write_text(json.dumps(state))
    seal(folder)
    with pytest.raises(CheckpointError, match=r"state\.json: damaged \("):
        load_checkpoint(folder)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_score_that_is_no_number_is_refused(tmp_path: Path, value: str) -> None:
    folder = save(tmp_path, 10)
    text = (
        (folder / "state.json").read_text().replace('"best_score": null', f'"best_score": {value}')
    )
    assert value in text
    (folder / "state.json").write_text(text)
    seal(folder)
    with pytest.raises(CheckpointError, match=r"state\.json: damaged"):
        load_checkpoint(folder)


@pytest.mark.parametrize("state", [[], {}, {"progress": 1, "machine": {}}, {"progress": {}}])
def test_a_state_without_its_parts_is_refused(tmp_path: Path, state: object) -> None:
    folder = save(tmp_path, 10)
    (folder / "state.json").write_text(json.dumps(state))
    seal(folder)
    with pytest.raises(CheckpointError, match=r"state\.json: damaged"):
        load_checkpoint(folder)


GOOD = torch.get_rng_state()


@pytest.mark.parametrize(
    "states",
    [
        {},
        {"cpu": GOOD[:100]},
        {"cpu": GOOD.int()},
        {"cpu": torch.zeros_like(GOOD)},
        {"cpu": torch.full_like(GOOD, 255)},
        {"cpu": GOOD, "cuda": GOOD},
        {"cpu": GOOD, "cuda": torch.zeros(16)},
    ],
)
def test_a_random_state_that_is_none_is_refused(
    tmp_path: Path, states: dict[str, torch.Tensor]
) -> None:
    before = torch.get_rng_state()
    folder = save_checkpoint(tmp_path, replace(checkpoint_at(10), random_state=states))
    with pytest.raises(CheckpointError, match=r"random\.safetensors: damaged, not a random state"):
        load_checkpoint(folder)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("part", ["weights", "optimizer", "average"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_tensors_that_are_not_finite_are_refused(tmp_path: Path, part: str, value: float) -> None:
    tensors = {"0.exp_avg": torch.tensor([1.0, value])}
    save(tmp_path, 10)
    changes: dict[str, Any] = {part: tensors}
    folder = save_checkpoint(tmp_path, replace(checkpoint_at(20), **changes))
    with pytest.raises(CheckpointError, match=r"safetensors: damaged, 0.exp_avg holds values that"):
        load_checkpoint(folder)
    assert recovered_step(tmp_path) == 10


def adam_after(updates: int) -> tuple[torch.optim.Adam, dict[str, torch.Tensor]]:
    """An optimizer of two weights, and its state after some updates."""
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    for _ in range(updates):
        torch.autograd.backward(layer(torch.ones(3)).sum())
        optimizer.step()
    return optimizer, optimizer_tensors(optimizer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("0.exp_avg"), "has no 0.exp_avg"),
        (
            lambda state: [state.pop(key) for key in list(state) if key[0] == "1"],
            "has no 1.exp_avg",
        ),
        (lambda state: state.clear(), "has no 0.exp_avg"),
        (lambda state: state.update({"0.odd": torch.ones(1)}), "has an unexpected entry 0.odd"),
        (
            lambda state: state.update({"0.exp_avg": torch.ones(3, 2)}),
            r"0.exp_avg is torch.float32 \(3, 2\), expected floating point of shape \(2, 3\)",
        ),
        (
            lambda state: state.update({"1.exp_avg": torch.ones(2).bool()}),
            "1.exp_avg is torch.bool",
        ),
        (lambda state: state.update({"1.step": torch.ones(4)}), "1.step is"),
        (lambda state: state.update({"1.step": torch.tensor(-1.0)}), "1.step holds negative"),
        (lambda state: state["0.exp_avg_sq"].fill_(-1), "0.exp_avg_sq holds negative"),
    ],
)
def test_the_state_of_an_optimizer_is_checked(
    change: Callable[[dict[str, torch.Tensor]], object], message: str
) -> None:
    optimizer, state = adam_after(3)
    load_optimizer(optimizer, state, updates=3)
    change(state)
    with pytest.raises(CheckpointError, match=message):
        load_optimizer(adam_after(0)[0], state, updates=3)


def test_checking_a_state_changes_neither_weights_nor_rates() -> None:
    _, state = adam_after(3)
    optimizer, _ = adam_after(0)
    (group,) = optimizer.param_groups
    group["weight_decay"] = 0.5
    before = [weight.detach().clone() for weight in group["params"]]
    load_optimizer(optimizer, state, updates=3)
    assert all(map(torch.equal, before, group["params"]))
    assert group["lr"] == 0.001
    assert [weight.grad for weight in group["params"]] == [None, None]


@pytest.mark.parametrize("key", ["2.step", "step", "", "-1.step", "0x0.step"])
def test_the_state_of_another_optimizer_is_refused(key: str) -> None:
    optimizer = torch.optim.Adam(torch.nn.Linear(2, 1).parameters())
    with pytest.raises(CheckpointError, match="the optimizer's state has an unexpected entry"):
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


def test_an_empty_state_clears_that_of_later_updates() -> None:
    optimizer, _ = adam_after(3)
    assert optimizer.state
    load_optimizer(optimizer, {})
    assert not optimizer.state, "as before the first update"

"""Checkpoints: each is an immutable folder, written atomically and verified when read."""

import contextlib
import json
import platform
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from s2scli.artifacts import read_json
from s2scli.errors import CheckpointError, MissingInputError
from s2scli.files import (
    DELETED,
    FILES,
    TEMPORARY,
    Files,
    recover_folder,
    remove_folder,
    require_space,
    storage_errors,
)
from s2scli.manifest import encode_json, new_folder, verify_folder
from s2scli.model.weights import encode_tensors, read_tensors
from s2scli.training.machine import read_machine
from s2scli.training.progress import Progress
from s2scli.training.world import World

NAME = re.compile(r"checkpoint-(\d{8})")
KEPT = 2
ROOM = 2  # the free space needed to save a checkpoint, in checkpoints
CUDA_STATE = (torch.uint8, (16,))
SQUARES = ("exp_avg_sq", "square_avg", "row_var", "col_var", "variance", "step")  # never negative
AVERAGE = "average.safetensors"  # written only with a moving average


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training run after an update.

    Attributes:
        settings: the recipe of the run; only its limits and search may change on resume.
        made_from: digests of the corpus, the tokenizer, and the model that training started
            from, if any.
        progress: the counters of the run.
        machine: the environment that exact results depend on (`training.machine`).
        weights: the model's weights, by name.
        optimizer: the optimizer's state; keys are `weight number.name`.
        random_state: the states of torch's random generators, by device, as bytes.
        average: the moving average of the weights, by name; empty without one.
        digest: the digest of its folder; "" if it was not read from one.
    """

    settings: Mapping[str, Any]
    made_from: Mapping[str, str]
    progress: Progress
    machine: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    random_state: Mapping[str, Tensor]
    average: Mapping[str, Tensor] = field(default_factory=dict)
    digest: str = ""

    @property
    def judged(self) -> Mapping[str, Tensor]:
        """The weights that are validated and published."""
        return self.average or self.weights

    @property
    def bytes(self) -> int:
        """The size of its tensors in bytes, which is nearly all that it takes on the disk."""
        parts = (self.weights, self.optimizer, self.random_state, self.average)
        return sum(tensor.nbytes for part in parts for tensor in part.values())


def checkpoint_folder(training: Path, step: int) -> Path:
    """Return the path of the checkpoint that is saved after update `step`."""
    return training / f"checkpoint-{step:08d}"


def save_checkpoint(training: Path, checkpoint: Checkpoint, files: Files = FILES) -> Path:
    """Write a checkpoint atomically, then delete checkpoints that are no longer needed.

    Keeps it and the one before, the best, those to be averaged at the end, and those to roll back
    to; later ones were damaged when the run was resumed. The disk must have room for the checkpoint
    twice, so that the model and the log can be written too.

    Raises:
        StorageError: the disk is full or writing failed; older checkpoints are untouched.
    """
    progress = checkpoint.progress
    folder = checkpoint_folder(training, progress.step)
    require_space(folder, ROOM * checkpoint.bytes, files)
    state = {"progress": progress.to_json(), "machine": dict(checkpoint.machine)}
    with new_folder(folder, "checkpoint", made_from=checkpoint.made_from, files=files) as draft:
        draft.facts = checkpoint.settings
        files.write(draft.path / "model.safetensors", encode_tensors(checkpoint.weights))
        files.write(draft.path / "optimizer.safetensors", encode_tensors(checkpoint.optimizer))
        files.write(draft.path / "random.safetensors", encode_tensors(checkpoint.random_state))
        if checkpoint.average:
            files.write(draft.path / AVERAGE, encode_tensors(checkpoint.average))
        files.write(draft.path / "state.json", encode_json(state))
    _remove_old(folder, progress.kept_steps, files)
    return folder


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises:
        MissingInputError: the folder does not exist.
        CheckpointError: a file is missing or damaged.
    """
    manifest = verify_folder(folder, "checkpoint")
    state = read_json(folder / "state.json")
    try:
        progress = Progress.from_json(state.get("progress"))
        machine = read_machine(state.get("machine"))
    except ValueError as error:
        raise CheckpointError(f"{folder / 'state.json'}: damaged ({error!s:.200})") from error
    return Checkpoint(
        manifest.facts,
        manifest.made_from,
        progress,
        machine,
        _read_finite(folder / "model.safetensors"),
        _read_finite(folder / "optimizer.safetensors"),
        _read_random_state(folder / "random.safetensors"),
        _read_finite(folder / AVERAGE) if AVERAGE in manifest.files else {},
        manifest.digest,
    )


def _read_finite(path: Path) -> dict[str, Tensor]:
    """Read tensors and check that all values are finite."""
    tensors = read_tensors(path)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path}: damaged, {name:.80} holds values that are not finite")
    return tensors


def _read_random_state(path: Path) -> dict[str, Tensor]:
    """Read and check the states of torch's random generators."""
    states = read_tensors(path)
    try:
        torch.Generator().set_state(states["cpu"])
        if "cuda" in states and (states["cuda"].dtype, states["cuda"].shape) != CUDA_STATE:
            raise TypeError("the state of the GPU's generator has the wrong type or size")
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: damaged, not a random state ({error!s:.80})") from error
    return states


def list_checkpoints(training: Path) -> list[Path]:
    """Return the checkpoint folders, highest step first."""
    if not training.is_dir():
        return []
    found = [path for path in training.iterdir() if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def newest_checkpoint(training: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest intact checkpoint, and an error message for each newer damaged one.

    Returns None and no messages if there are no checkpoints.

    Raises:
        CheckpointError: there are checkpoints, and all are damaged.
    """
    faults: list[str] = []
    for folder in list_checkpoints(training):
        try:
            return load_checkpoint(folder), faults
        except (CheckpointError, MissingInputError) as error:
            faults.append(str(error))
    if faults:
        raise CheckpointError(
            f"every checkpoint is damaged: {faults[0]}; start again with --restart"
        )
    return None, []


def checkpoint_up_to(training: Path, step: int) -> Checkpoint | None:
    """Return the newest intact checkpoint saved at a step or before, or None."""
    for folder in list_checkpoints(training):
        if folder <= checkpoint_folder(training, step):
            with contextlib.suppress(CheckpointError, MissingInputError):
                return load_checkpoint(folder)
    return None


def same_checkpoint(
    training: Path, world: World, choose: Callable[[], Checkpoint | None]
) -> Checkpoint | None:
    """Return the checkpoint that the first process chooses, or None, in all processes.

    Args:
        training: the folder with the checkpoints.
        world: the processes of the run.
        choose: returns a checkpoint of the folder or None; only the first process calls it.

    Raises:
        CheckpointError: another process does not find the same checkpoint in its folder.
    """
    found = world.first(world.choose(choose, lambda: None))
    chosen = world.gather([[found.progress.step, found.digest] if found else None])[0]
    fault = ""
    if chosen and not found:
        try:
            found = _read_same(training, *chosen)
        except CheckpointError as error:
            fault = str(error)
    for each in filter(None, world.gather([fault])):
        raise CheckpointError(each)
    return found


def _read_same(training: Path, step: int, digest: str) -> Checkpoint:
    """Read the checkpoint that the first process has read.

    Raises:
        CheckpointError: it cannot be read, or is another one.
    """
    folder = checkpoint_folder(training, step)
    try:
        found = load_checkpoint(folder)
        if found.digest == digest:
            return found
        fault = f"{folder}: not the checkpoint that the first process of the run has there"
    except (CheckpointError, MissingInputError, OSError) as error:
        fault = f"{error}, but the first process of the run has read it"
    raise CheckpointError(
        f"host {platform.node()}: {fault}; the workspace must be on a file system that all hosts "
        "share"
    )


def sweep(training: Path, files: Files = FILES) -> None:
    """Clean up checkpoints that a crash left partly written, replaced or deleted.

    Raises:
        StorageError: the folder cannot be written to.
    """
    with storage_errors(training):
        files.make_folder(training)
    for path in sorted(training.iterdir()):
        for prefix in (TEMPORARY, DELETED):
            if path.name.startswith(prefix):
                recover_folder(path.with_name(path.name.removeprefix(prefix)), files)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return an optimizer's state as tensors; keys are `weight number.name`."""
    return {
        f"{number}.{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if value is not None
    }


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], updates: int = 0) -> None:
    """Restore an optimizer's state from the result of `optimizer_tensors`.

    Args:
        optimizer: a new optimizer over the same weights.
        tensors: the saved state.
        updates: updates made before the state was saved; only 0 allows an empty state for an
            optimizer that keeps one.

    Raises:
        CheckpointError: the state does not fit this optimizer.
    """
    if not tensors and not updates:
        optimizer.state.clear()
        return
    _check_state(_state_of_an_update(optimizer), tensors)
    states: dict[int, dict[str, Tensor]] = {}
    tree = optimizer.state_dict()
    numbers = {str(number): number for group in tree["param_groups"] for number in group["params"]}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        states.setdefault(numbers[number], {})[name] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": tree["param_groups"]})


def _state_of_an_update(optimizer: Optimizer) -> dict[str, Tensor]:
    """Make an update that leaves the weights unchanged, and return the optimizer's state."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for weight in group["params"]:
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    return optimizer_tensors(optimizer)


def _check_state(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Check the names, shapes and signs of an optimizer's tensors.

    Raises:
        CheckpointError: a tensor is missing, unexpected or invalid.
    """
    fault = "checkpoint: the optimizer's state"
    for key in sorted(found.keys() - expected.keys()):
        raise CheckpointError(f"{fault} has an unexpected entry {key:.80}")
    for key in sorted(expected.keys() - found.keys()):
        raise CheckpointError(f"{fault} has no {key}")
    for key, tensor in found.items():
        shape = expected[key].shape
        if tensor.shape != shape or not tensor.is_floating_point():
            raise CheckpointError(
                f"{fault} {key} is {tensor.dtype} {tuple(tensor.shape)}, expected floating "
                f"point of shape {tuple(shape)}"
            )
        if key.partition(".")[2] in SQUARES and (tensor < 0).any():
            raise CheckpointError(f"{fault} {key} holds negative values")


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's random generators: the CPU's, and the GPU's if it is used."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_state(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Restore the states of torch's random generators."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)


def settings_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return `path: old -> new` for every setting that differs, sorted by path."""
    flat_old, flat_new = _flat(old), _flat(new)
    return [
        f"{key}: {flat_old.get(key, '(not set)')} -> {flat_new.get(key, '(not set)')}"
        for key in sorted(flat_old.keys() | flat_new.keys())
        if flat_old.get(key) != flat_new.get(key)
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat


def _remove_old(newest: Path, steps: Collection[int], files: Files) -> None:
    """Delete all checkpoints but `KEPT` up to the newest and those of some steps."""
    found = list_checkpoints(newest.parent)
    kept = {checkpoint_folder(newest.parent, step) for step in steps}
    kept |= set([folder for folder in found if folder <= newest][:KEPT])
    for folder in found:
        if folder not in kept:
            remove_folder(folder, files)

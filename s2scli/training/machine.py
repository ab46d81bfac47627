"""The environment on which the exact results of a run depend, saved in its checkpoints."""

import platform
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from s2scli.model.kernels.machine import this_machine, uses_one_dnn
from s2scli.training.precision import arithmetic
from s2scli.training.settings import TrainingSettings
from s2scli.training.world import World

COUNTS = ("processes", "threads", "batch plan")
MAX_COUNT, MAX_TEXT = 10_000, 200


def describe_machine(
    settings: TrainingSettings, device: torch.device, world: World, plan_version: int
) -> dict[str, Any]:
    """Describe the environment on which the exact results of a run depend, by name.

    Args:
        settings: the training settings.
        device: the device to train on.
        world: the processes that train together.
        plan_version: the version of the algorithm that plans the batches.
    """
    on_cpu = device.type == "cpu"
    return {
        "processes": world.size,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": "cpu" if on_cpu else torch.cuda.get_device_name(device),
        "processor": platform.machine(),
        "precision": arithmetic(settings, device),
        "products by": "oneDNN" if on_cpu and uses_one_dnn(this_machine()) else "torch",
        "batch plan": plan_version,
    }


def read_machine(tree: object) -> Mapping[str, Any]:
    """Check and return the machine description in a checkpoint.

    Raises:
        ValueError: it is not an object, or a value has the wrong type or is out of range.
    """
    if not isinstance(tree, dict):
        raise ValueError("the machine is not an object")
    for name, value in tree.items():
        is_count = type(value) is int and 1 <= value <= MAX_COUNT
        is_text = isinstance(value, str) and len(value) <= MAX_TEXT
        if not (is_count if name in COUNTS else is_count or is_text):
            raise ValueError(f"{name:.40}: found {value!r:.40}")
    return tree


def machine_differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, old value and new value of everything that changed, except threads.

    Args:
        before: the description in a checkpoint; older versions lack some entries.
        now: the result of `describe_machine`.
    """
    unsaid = {"processes": 1, "batch plan": 1, "products by": now["products by"]}
    old = {**unsaid, **before}
    for name, value in now.items():
        if name != "threads" and old.get(name) != value:
            yield name, old.get(name), value

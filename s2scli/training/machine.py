"""What the bits of a run depend on besides its settings, kept in its checkpoints."""

import platform
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from s2scli.data.batching import PLAN
from s2scli.model.kernels.machine import this_machine
from s2scli.training.precision import arithmetic
from s2scli.training.settings import TrainingSettings
from s2scli.training.world import World


def describe_machine(
    settings: TrainingSettings, device: torch.device, world: World
) -> dict[str, Any]:
    """Return what the bits of a run depend on, by name."""
    on_cpu = device.type == "cpu"
    return {
        "processes": world.size,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": "cpu" if on_cpu else torch.cuda.get_device_name(device),
        "processor": platform.machine(),
        "precision": arithmetic(settings, device),
        "products by": "oneDNN" if on_cpu and this_machine().prefers_one_dnn else "torch",
        "batch plan": PLAN,
    }


def machine_differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the old and the new value of what has changed, threads left out.

    Args:
        before: the description in a checkpoint; older versions lack some names.
        now: the result of `describe_machine`.
    """
    unsaid = {"processes": 1, "batch plan": 1, "products by": now["products by"]}
    old = {**unsaid, **before}
    for name, value in now.items():
        if name != "threads" and old.get(name) != value:
            yield name, old.get(name), value

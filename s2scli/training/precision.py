"""The precision of the forward and backward passes: float32, or bfloat16 where it is fast."""

from typing import Literal

import torch

from s2scli.model.kernels.machine import this_machine
from s2scli.training.settings import TrainingSettings

Arithmetic = Literal["float32", "bfloat16"]


def arithmetic(settings: TrainingSettings, device: torch.device) -> Arithmetic:
    """Return the precision that `training.precision` selects on a device.

    auto is bfloat16 on a GPU, and on a CPU that multiplies it in hardware; otherwise float32. A run
    on a CPU measures first, and replaces auto by what it has found (`training.products`).
    """
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if device.type == "cuda" or this_machine().has_bfloat16 else "float32"


def autocast(settings: TrainingSettings, device: torch.device) -> torch.autocast:
    """Return the autocast context for that precision; weights and optimizer stay in float32."""
    enabled = arithmetic(settings, device) == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)

"""Memory that is written over or used once more where no gradient needs what was in it."""

import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels.machine import Kernel

IN_PLACE = Kernel(cpu_only=False, with_gradients=False)


def may_overwrite(values: Tensor) -> bool:
    """Whether these values may change where they are."""
    return IN_PLACE.runs(values)


def relu(values: Tensor) -> Tensor:
    """Return max(x, 0), in place of `values` where it may."""
    return F.relu(values, inplace=may_overwrite(values))


def laid_out_for_steps(values: Tensor) -> Tensor:
    """Return values that will be read once for each step, contiguous unless something is learned.

    Then they are read once only, and a copy would cost more than it saves.
    """
    return values.contiguous() if IN_PLACE.runs(values) else values

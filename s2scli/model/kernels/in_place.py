"""In-place operations, used when gradients are disabled."""

import torch
import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels.machine import Kernel

IN_PLACE = Kernel(cpu_only=False, with_gradients=False)


def may_overwrite(values: Tensor) -> bool:
    """Whether these values may be overwritten: gradients are disabled."""
    return IN_PLACE.runs(values)


def relu(values: Tensor) -> Tensor:
    """Return max(x, 0), in place if `values` may be overwritten."""
    return F.relu(values, inplace=may_overwrite(values))


def log_softmax(logits: Tensor) -> Tensor:
    """Return the log-softmax over the last dimension, in place on a CPU without gradients.

    That saves a second tensor of this size, which would not fit into the processor's caches. On a
    GPU it was not measured.
    """
    in_place = logits.is_cpu and logits.is_contiguous() and may_overwrite(logits)
    return torch.log_softmax(logits, -1, out=logits if in_place else None)


def laid_out_for_steps(values: Tensor) -> Tensor:
    """Return the values as a contiguous tensor, for a search that reads them at every step.

    In training the values are read only once, and a copy would cost more than it saves. They are
    then returned unchanged.
    """
    return values.contiguous() if IN_PLACE.runs(values) else values

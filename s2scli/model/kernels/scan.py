"""The scan of a gated recurrence without products between its steps."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def scan(decays: Tensor, values: Tensor, start: Tensor) -> Tensor:
    """Return c_t = decays_t c_{t-1} + values_t for all steps, [T, N, D].

    The steps are computed in order, so that T steps are exactly T times one step.

    Args:
        decays: [T, N, D].
        values: [T, N, D].
        start: c_0, [N, D].
    """
    scanned: Tensor = _Scan.apply(decays, values, start)  # type: ignore[no-untyped-call]
    return scanned


class _Scan(torch.autograd.Function):
    """The scan and its gradient, each a loop of one operation per step."""

    @staticmethod
    def forward(ctx: Any, decays: Tensor, values: Tensor, start: Tensor) -> Tensor:
        """Return the values of all steps, [T, N, D]."""
        scanned = _steps(decays, values, start)
        ctx.save_for_backward(decays, scanned, start)
        return scanned

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients: the same scan, from the last step to the first."""
        decays, scanned, start = ctx.saved_tensors
        later = torch.cat([decays[1:], torch.zeros_like(decays[:1])])
        for_values = _steps(later.flip(0), gradient.flip(0), torch.zeros_like(start)).flip(0)
        before = torch.cat([start[None], scanned[:-1]])
        return for_values * before, for_values, decays[0] * for_values[0]


def _steps(decays: Tensor, values: Tensor, start: Tensor) -> Tensor:
    scanned = torch.empty_like(values, memory_format=torch.contiguous_format)
    for decay, value, after in zip(decays, values, scanned, strict=True):
        start = torch.addcmul(value, decay, start, out=after)
    return scanned

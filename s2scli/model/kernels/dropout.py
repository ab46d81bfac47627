"""Dropout whose random numbers are cheap on a processor."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.model.kernels.machine import Kernel

LEVELS = 1 << 16  # probabilities are multiples of 1 / LEVELS
FOUR_A_DRAW = Kernel()


class Dropout(nn.Module):
    """Sets values to 0 and scales the rest, in training (Srivastava et al. 2014).

    PyTorch draws a number for each value, which takes longer than many of the layers around it;
    here one draw of 64 bits decides four values. A probability is rounded to a multiple of 1/65536,
    and the scale is that of the rounded one, so that the mean is kept.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Any shape to the same."""
        if not self.training or not self.probability:
            return values
        return drop(values, self.probability)


def drop(values: Tensor, probability: float) -> Tensor:
    """Return values, each set to 0 with this probability, and the rest scaled up."""
    if not probability:
        return values
    if not FOUR_A_DRAW.runs(values):
        return F.dropout(values, probability)
    return values * keep_mask(values, probability)


def keep_mask(values: Tensor, probability: float) -> Tensor:
    """Return 0 where a value is dropped and 1 / (1 - probability) elsewhere, shaped as `values`."""
    count = values.numel()
    draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(1 << 63), None)
    levels = draws.view(torch.int16)[:count].view(values.shape)  # uniform in [-2^15, 2^15)
    dropped = min(LEVELS - 1, round(probability * LEVELS))
    kept = levels >= dropped - LEVELS // 2
    return kept.to(values.dtype) * (LEVELS / (LEVELS - dropped))

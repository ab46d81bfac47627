"""Dropout with fast random numbers on a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.model.kernels.machine import Kernel

LEVELS = 1 << 16  # probabilities are multiples of 1 / LEVELS
FOUR_A_DRAW = Kernel()


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014): in training, zeroes random values and scales the rest.

    PyTorch draws one random number per value, which takes longer than many of the surrounding
    layers. On a CPU, this module draws 64 bits for four values. The probability is rounded to a
    multiple of 1/65536, and values are scaled by the rounded probability, which keeps their mean.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Apply dropout to values of any shape."""
        if not self.training or not self.probability:
            return values
        return drop(values, self.probability)


def drop(values: Tensor, probability: float) -> Tensor:
    """Return the values, each set to 0 with this probability, and the others scaled up."""
    if not probability:
        return values
    if not FOUR_A_DRAW.runs(values):
        return F.dropout(values, probability)
    return values * keep_mask(values, probability)


def keep_mask(values: Tensor, probability: float) -> Tensor:
    """Return a mask of the shape of `values`: 0 if dropped, 1 / (1 - probability) if kept."""
    count = values.numel()
    draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(1 << 63), None)
    levels = draws.view(torch.int16)[:count].view(values.shape)  # uniform in [-2^15, 2^15)
    dropped = min(LEVELS - 1, round(probability * LEVELS))
    kept = levels >= dropped - LEVELS // 2
    return kept.to(values.dtype) * (LEVELS / (LEVELS - dropped))

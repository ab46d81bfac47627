"""Products with weights of 8 bits, on a processor and without gradients."""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

CPU_INFO = Path("/proc/cpuinfo")
LARGEST_WEIGHT = 127
FEW, ROUND = 8, 32  # rows: more than those few are filled up to a multiple
LEAST = 1e-30  # what a row of zeros is scaled by


@dataclass(frozen=True)
class Int8Weight:
    """A weight [N, K] as integers of 8 bits, each row of them times a scale of its own.

    What it multiplies is rounded to integers as well, each row by its own largest number: so a row
    is the same whatever stands beside it.

    Attributes:
        integers: laid out as oneDNN multiplies.
        scales: of the rows, [N].
        zeros: what an integer of 0 stands for, [N].
    """

    integers: Tensor
    scales: Tensor
    zeros: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "Int8Weight":
        """Round a weight [N, K]."""
        scales = weight.abs().amax(1).clamp_(min=LEAST) / LARGEST_WEIGHT
        integers = (weight / scales[:, None]).round_().to(torch.int8)
        packed = torch.ops.onednn.qlinear_prepack(integers, None)
        return cls(packed, scales, torch.zeros(len(weight), dtype=torch.int64))

    def multiply(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b, [..., K] to [..., N]."""
        levels = value_levels()
        rows = values.reshape(-1, values.shape[-1])  # [M, K]
        largest = rows.abs().amax(1, keepdim=True).clamp_(min=LEAST)
        # integers from 1 to 2 levels + 1, rounded by what the conversion cuts off
        integers = torch.empty(_room(len(rows)), rows.shape[1], dtype=torch.uint8)
        integers[: len(rows)] = (rows * (levels / largest)).add_(levels + 1.5)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            integers,
            1.0,
            levels + 1,
            self.integers,
            self.scales,
            self.zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )[: len(rows)]
        scales = largest / levels
        found = product.mul_(scales) if bias is None else torch.addcmul(bias, product, scales)
        return found.view(*values.shape[:-1], -1)


def _room(rows: int) -> int:
    """Return how many rows to multiply: oneDNN compiles a kernel for every other number of them."""
    return rows if rows <= FEW else -(-rows // ROUND) * ROUND


@functools.cache
def value_levels() -> int:
    """Return how many positive integers a value may be rounded to.

    Without instructions for products of 8 bits (VNNI) the sum of two products is kept in 16 bits,
    which two of 8 x 8 bits would overflow.
    """
    flags = CPU_INFO.read_text(errors="replace") if CPU_INFO.exists() else ""
    return 127 if "vnni" in flags else 63


@functools.cache
def int8_multiplies() -> bool:
    """Whether PyTorch has oneDNN's products of 8 bits, and this processor is one they are for."""
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return False
    some = torch.eye(4).repeat(4, 4)
    try:
        return torch.allclose(Int8Weight.of(some).multiply(some, None), some @ some)
    except (AttributeError, RuntimeError):
        return False

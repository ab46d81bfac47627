"""Products with weights of 8 bits by oneDNN, on a processor and without gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_WEIGHT = 127
FEW, ROUND = 8, 32  # more rows than FEW are padded to a multiple of ROUND
LEAST = 1e-30  # the smallest scale, that of a row of zeros
SAFE_LEVELS = 63  # products of these overflow on no processor


@dataclass(frozen=True)
class Int8Weight:
    """A weight [N, K] as integers of 8 bits, with a scale for each row.

    The values it multiplies are rounded to integers too, each row by its own largest number, so
    that a row's result does not depend on the other rows.

    Attributes:
        integers: as oneDNN lays them out.
        scales: of the rows, [N].
        zeros: the zero points of the rows, [N].
        levels: positive integers that a value is rounded to (`Machine.int8_levels`).
    """

    integers: Tensor
    scales: Tensor
    zeros: Tensor
    levels: int

    @classmethod
    def of(cls, weight: Tensor, levels: int) -> "Int8Weight":
        """Round a weight [N, K]."""
        scales = weight.abs().amax(1).clamp_(min=LEAST) / LARGEST_WEIGHT
        integers = (weight / scales[:, None]).round_().to(torch.int8).contiguous()
        packed = torch.ops.onednn.qlinear_prepack(integers, None)
        return cls(packed, scales, torch.zeros(len(weight), dtype=torch.int64), levels)

    def multiply(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b, [..., K] to [..., N]."""
        levels = self.levels
        rows = values.reshape(-1, values.shape[-1])  # [M, K]
        largest = rows.abs().amax(1, keepdim=True).clamp_(min=LEAST)
        # integers from 1 to 2 levels + 1: adding 0.5 rounds, as the conversion truncates
        integers = torch.empty(_padded(len(rows)), rows.shape[1], dtype=torch.uint8)
        integers[: len(rows)] = (rows * (levels / largest)).add_(levels + 1.5)
        product = self._product(integers)[: len(rows)]
        scales = largest / levels
        found = product.mul_(scales) if bias is None else torch.addcmul(bias, product, scales)
        return found.view(*values.shape[:-1], -1)

    def _product(self, integers: Tensor) -> Tensor:
        """Return the product with values of scale 1 and zero point `levels` + 1, [M, N]."""
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            integers,
            1.0,
            self.levels + 1,
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
        )
        return product


def works() -> bool:
    """Whether this PyTorch has oneDNN's products of 8 bits, and they are correct here."""
    some = torch.eye(4).repeat(4, 4)
    try:
        found = Int8Weight.of(some, SAFE_LEVELS).multiply(some, None)
        return torch.allclose(found, some @ some)
    except (AttributeError, RuntimeError):
        return False


def _padded(rows: int) -> int:
    """Return how many rows to multiply: oneDNN compiles a kernel for every number of rows."""
    return rows if rows <= FEW else -(-rows // ROUND) * ROUND

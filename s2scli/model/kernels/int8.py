"""Products with int8 weights by oneDNN, on a CPU and without gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_WEIGHT = 127
FEW, ROUND = 8, 32  # more rows than FEW are padded to a multiple of ROUND
LEAST = 1e-30  # lower bound of a row's largest absolute value, for rows of zeros
SAFE_LEVELS = 63  # small enough that products do not overflow on any processor


@dataclass(frozen=True)
class Int8Weight:
    """A weight [N, K] quantized to int8, with one scale per row.

    The input of a product is quantized too. Each of its rows is scaled by its largest absolute
    value, so that the result of a row does not depend on other rows.

    Attributes:
        integers: the quantized weight, in oneDNN's layout.
        scales: the scale of each row, [N].
        zeros: the zero point of each row, [N].
        levels: the largest integer that an input is quantized to (`Machine.int8_levels`).
    """

    integers: Tensor
    scales: Tensor
    zeros: Tensor
    levels: int

    @classmethod
    def of(cls, weight: Tensor, levels: int) -> "Int8Weight":
        """Quantize a weight [N, K]."""
        scales = weight.abs().amax(1).clamp_(min=LEAST) / LARGEST_WEIGHT
        integers = (weight / scales[:, None]).round_().to(torch.int8).contiguous()
        packed = torch.ops.onednn.qlinear_prepack(integers, None)
        return cls(packed, scales, torch.zeros(len(weight), dtype=torch.int64), levels)

    def multiply(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b, [..., K] to [..., N]."""
        rows = values.reshape(-1, values.shape[-1])  # [M, K]
        scales = rows.abs().amax(1, keepdim=True).clamp_(min=LEAST).div_(self.levels)
        # PyTorch converts to int8 several times as fast as to uint8
        integers = torch.empty(_padded(len(rows)), rows.shape[1], dtype=torch.int8)
        integers[: len(rows)] = (rows / scales).round_()
        product = self._product(integers.view(torch.uint8).add_(self.levels + 1))[: len(rows)]
        if bias is None:
            product.mul_(scales)
        else:  # in place, as a second tensor of this size does not fit into the caches
            torch.addcmul(bias, product, scales, out=product)
        return product.view(*values.shape[:-1], -1)

    def _product(self, integers: Tensor) -> Tensor:
        """Return the product with quantized inputs [M, K], before their scales apply, [M, N]."""
        product: Tensor = torch.ops.onednn.qlinear_pointwise.default(
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
    """Whether this build of PyTorch has oneDNN's int8 products, and they are correct here."""
    some = torch.eye(4).repeat(4, 4)
    try:
        found = Int8Weight.of(some, SAFE_LEVELS).multiply(some, None)
        return torch.allclose(found, some @ some)
    except (AttributeError, RuntimeError):
        return False


def _padded(rows: int) -> int:
    """Return the number of rows after padding.

    oneDNN compiles a kernel for every number of rows, and padding keeps the number of kernels low.
    """
    return rows if rows <= FEW else -(-rows // ROUND) * ROUND

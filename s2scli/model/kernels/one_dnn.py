"""Products of float32 matrices by oneDNN, which PyTorch includes beside its default library."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class OneDnnWeight:
    """A weight [N, K] packed in oneDNN's layout.

    oneDNN packs a plain weight again for every product. With only a few rows, that takes longer
    than the product itself.
    """

    packed: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "OneDnnWeight":
        """Pack a weight [N, K]."""
        return cls(torch.ops.mkldnn._reorder_linear_weight(weight))

    def multiply(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b, [..., K] to [..., N]."""
        return multiply(values, self.packed, bias)


def multiply(left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
    """Return left right^T + bias, [..., K] and [N, K] to [..., N]."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return product


def works() -> bool:
    """Whether this build of PyTorch has oneDNN's operators for transposed and packed matrices."""
    some = torch.arange(6.0).view(2, 3)
    try:
        transposed = torch.equal(multiply(some.t(), some.t(), None), some.t() @ some)
        packed = OneDnnWeight.of(some).multiply(some, None)
        return transposed and torch.equal(packed, some @ some.t())
    except (AttributeError, RuntimeError):
        return False

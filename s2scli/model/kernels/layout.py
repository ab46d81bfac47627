"""Weights packed for fast products in search, and packed again when they change."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from s2scli.model.kernels.int8 import Int8Weight
from s2scli.model.kernels.machine import Kernel, this_machine, uses_one_dnn
from s2scli.model.kernels.one_dnn import OneDnnWeight

FLOAT32 = frozenset({torch.float32})
BY_INT8 = Kernel(FLOAT32, with_gradients=False, under_autocast=False)
BY_ONE_DNN = Kernel(
    FLOAT32,
    with_gradients=False,
    under_autocast=False,
    wants=uses_one_dnn,
)


class Packed(Protocol):
    """A weight [N, K] packed in the layout of a library."""

    def multiply(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b, [..., K] to [..., N]."""
        ...


@runtime_checkable
class LayoutOwner(Protocol):
    """A module whose weights can be packed."""

    def lay_out(self, *, int8: bool) -> None:
        """Pack the module's weights for later products, quantized to int8 if `int8` is true."""
        ...


def lay_out(model: nn.Module, *, int8: bool = False) -> None:
    """Pack the weights of a model for products without gradients, if that is faster.

    The weights are then in memory twice. A weight that has changed is packed again by the next
    product without gradients. In-place changes through `weight.data` or through NumPy are not
    noticed: call `lay_out` again after them.

    Args:
        model: the model; each `LayoutOwner` among its modules packs its weights.
        int8: quantize the weights to int8, for faster but less exact products.
    """
    _watch_optimizers()
    for layer in model.modules():
        if isinstance(layer, LayoutOwner):
            layer.lay_out(int8=int8)


class Layout:
    """The packed form of one weight, kept up to date with its values; thread-safe.

    Args:
        weight: [N, K].
        int8: quantize it to int8.
    """

    def __init__(self, weight: Tensor, *, int8: bool) -> None:
        self.int8 = int8
        self._made = Made.of(weight, int8=int8)

    @classmethod
    def of(cls, weight: Tensor, *, int8: bool) -> "Layout | None":
        """Pack a weight [N, K]; return None if that is not faster."""
        with torch.no_grad():
            return cls(weight, int8=int8) if _kernel(int8).runs(weight) else None

    def packed(self, values: Tensor, weight: Tensor) -> Packed | None:
        """Return the packed weight [N, K]; None if it does not apply to these values."""
        if not _kernel(self.int8).runs(values, weight):
            return None
        made = self._made
        if not made.is_of(weight):
            made = self._made = Made.of(weight, int8=self.int8)
        return made.packed


@dataclass(frozen=True)
class Made:
    """A packed weight, and the weight it was made from.

    Attributes:
        weight: an alias of the original weight, which keeps its memory from being reused.
        version: the version counter of the weight when it was packed; -1 if it has none.
        packed: the packed weight.
    """

    weight: Tensor
    version: int
    packed: Packed

    @classmethod
    def of(cls, weight: Tensor, *, int8: bool) -> "Made":
        """Pack a weight [N, K]."""
        version = -1 if weight.is_inference() else weight._version
        weight = weight.detach()
        if int8:
            return cls(weight, version, Int8Weight.of(weight, this_machine().int8_levels))
        return cls(weight, version, OneDnnWeight.of(weight))

    def is_of(self, weight: Tensor) -> bool:
        """Whether it was made from this weight, which has not changed since.

        A tensor created in inference mode has no version counter, so it counts as changed.
        """
        if self.version < 0 or weight.is_inference():
            return False
        return self.version == weight._version and self.weight.is_set_to(weight)


def _kernel(int8: bool) -> Kernel:
    return BY_INT8 if int8 else BY_ONE_DNN


@functools.cache
def _watch_optimizers() -> None:
    """Increment the version counters of weights after each step; fused optimizers do not."""
    register_optimizer_step_post_hook(_count_change)


def _count_change(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    torch.autograd.graph.increment_version(_weights_of(optimizer))


def _weights_of(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]

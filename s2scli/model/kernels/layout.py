"""Weights laid out for the products of a search, and laid out again when they change."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from s2scli.model.kernels.int8 import Int8Weight
from s2scli.model.kernels.machine import Kernel, this_machine
from s2scli.model.kernels.one_dnn import OneDnnWeight

FLOAT32 = frozenset({torch.float32})
BY_INT8 = Kernel(FLOAT32, with_gradients=False, under_autocast=False)
BY_ONE_DNN = Kernel(
    FLOAT32,
    with_gradients=False,
    under_autocast=False,
    wants=lambda machine: machine.prefers_one_dnn,
)


class Packed(Protocol):
    """A weight [N, K] as a library reads it."""

    def multiply(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b, [..., K] to [..., N]."""
        ...


@runtime_checkable
class LayoutOwner(Protocol):
    """A module that multiplies by weights."""

    def lay_out(self, *, int8: bool) -> None:
        """Lay its weights out for the products to come, as they are or in 8 bits."""
        ...


def lay_out(model: nn.Module, *, int8: bool = False) -> None:
    """Lay out the weights of a model for products without gradients, where that is faster.

    The weights are then in memory twice. A weight that has changed is laid out again by the next
    product without gradients. Two kinds of change are not noticed, and `lay_out` must be called
    again: writing in place through `weight.data`, and through NumPy.

    Args:
        model: its layers that are `LayoutOwner` multiply so.
        int8: round the weights to 8 bits, for faster and less exact products.
    """
    _watch_optimizers()
    for layer in model.modules():
        if isinstance(layer, LayoutOwner):
            layer.lay_out(int8=int8)


class Layout:
    """The layout of one weight, always of its current values; several threads may use it at once.

    Args:
        weight: [N, K].
        int8: round it to 8 bits.
    """

    def __init__(self, weight: Tensor, *, int8: bool) -> None:
        self.int8 = int8
        self._made = Made.of(weight, int8=int8)

    @classmethod
    def of(cls, weight: Tensor, *, int8: bool) -> "Layout | None":
        """Lay out a weight [N, K]; None if that is not faster."""
        with torch.no_grad():
            return cls(weight, int8=int8) if _kernel(int8).runs(weight) else None

    def packed(self, values: Tensor, weight: Tensor) -> Packed | None:
        """Return the weight [N, K] laid out; None if these values are multiplied another way."""
        if not _kernel(self.int8).runs(values, weight):
            return None
        made = self._made
        if not made.is_of(weight):
            made = self._made = Made.of(weight, int8=self.int8)
        return made.packed


@dataclass(frozen=True)
class Made:
    """A layout, and the weight that it was made of.

    Attributes:
        weight: an alias of the weight, which also keeps its memory from being reused.
        version: that of the weight when it was laid out; -1 if it has no version counter.
        packed: the layout.
    """

    weight: Tensor
    version: int
    packed: Packed

    @classmethod
    def of(cls, weight: Tensor, *, int8: bool) -> "Made":
        """Lay out a weight [N, K]."""
        version = -1 if weight.is_inference() else weight._version
        weight = weight.detach()
        if int8:
            return cls(weight, version, Int8Weight.of(weight, this_machine().int8_levels))
        return cls(weight, version, OneDnnWeight.of(weight))

    def is_of(self, weight: Tensor) -> bool:
        """Whether it was made of this weight as it is now.

        A tensor made in inference mode has no version counter, and might have changed.
        """
        if self.version < 0 or weight.is_inference():
            return False
        return self.version == weight._version and self.weight.is_set_to(weight)


def _kernel(int8: bool) -> Kernel:
    return BY_INT8 if int8 else BY_ONE_DNN


@functools.cache
def _watch_optimizers() -> None:
    """Count every step of an optimizer as a change of its weights: fused ones do not."""
    register_optimizer_step_post_hook(_count_change)


def _count_change(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    torch.autograd.graph.increment_version(_weights_of(optimizer))


def _weights_of(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]

"""Linear layers, with the first weights that deep stacks want and the quickest products at hand.

On a processor, PyTorch multiplies float32 matrices with MKL, which uses half of what AMD's
processors with AVX-512 can do (90 to 97 against 199 to 211 GFLOP/s for two square matrices of 2,048
on one core of an EPYC, tests/bench); oneDNN, which PyTorch carries too, uses all of it.
"""

import functools
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from s2scli.model.layers.int8 import CPU_INFO, Int8Weight

Packed = Tensor | Int8Weight  # a weight as oneDNN multiplies it, in float32 or in 8 bits


@runtime_checkable
class Packable(Protocol):
    """A module that multiplies by weights."""

    def pack(self, *, int8: bool) -> None:
        """Lay them out for the products to come, as they are or in 8 bits."""
        ...


class Linear(nn.Linear):
    """W x + b, as nn.Linear.

    Attributes:
        packed: the weight once more, laid out for products, or None (`pack_weights`).
    """

    packed: Packed | None = None

    def forward(self, values: Tensor) -> Tensor:
        """[..., input_dim] to [..., output_dim]."""
        if not torch.is_grad_enabled():
            return multiply(values, self.weight, self.bias, packed=self.packed)
        if not one_dnn_is_quicker(values, self.weight):
            return F.linear(values, self.weight, self.bias)
        product: Tensor = _OneDnnLinear.apply(  # type: ignore[no-untyped-call]
            values, self.weight, self.bias
        )
        return product

    def pack(self, *, int8: bool) -> None:
        """Lay the weight out for the products to come."""
        self.packed = pack_weight(self.weight, int8=int8)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy begins with: plain weights, as laid out ones cannot be copied."""
        return {**self.__dict__, "packed": None}


def make_linear(input_dim: int, output_dim: int, *, parts: int = 1, bias: bool = True) -> Linear:
    """Return a layer with uniform Xavier weights (Glorot & Bengio 2010, eq. 16), zero bias.

    Args:
        input_dim: width of what it reads.
        output_dim: width of each part of what it says.
        parts: layers in one, side by side, each drawn as if it were alone.
        bias: whether it has a bias.
    """
    layer = Linear(input_dim, parts * output_dim, bias=bias)
    if not layer.weight.is_meta:  # there it would only import torch._dynamo, for over a second
        for part in layer.weight.data.chunk(parts):
            nn.init.xavier_uniform_(part)
        if bias:
            nn.init.zeros_(layer.bias)
    return layer


def pack_weights(model: nn.Module, *, int8: bool = False) -> None:
    """Lay out the weights of a model's layers for products without gradients.

    oneDNN, where it is quicker, lays out plain ones anew for every product, which for a few rows
    takes longer than the product itself. The weights are then in memory twice, and must stay as
    they are.

    Args:
        model: whose layers that are `Packable` are to multiply.
        int8: round them to 8 bits, on any processor, for quicker and less exact products.
    """
    for layer in model.modules():
        if isinstance(layer, Packable):
            layer.pack(int8=int8)


def pack_weight(weight: Tensor, *, int8: bool) -> Packed | None:
    """Return a weight [N, K] laid out for products; None where it is best left as it is."""
    weight = weight.detach()
    if int8:
        return Int8Weight.of(weight)
    return _pack(weight) if one_dnn_is_quicker(weight, weight) else None


def multiply(
    left: Tensor, right: Tensor, bias: Tensor | None = None, *, packed: Packed | None = None
) -> Tensor:
    """Return left right^T + bias by the quickest library, without gradients.

    Args:
        left: [..., K].
        right: [N, K].
        bias: [N], or None.
        packed: what `pack_weight` made of `right`, or None.
    """
    if isinstance(packed, Int8Weight):
        if _is_plain(left):
            return packed.multiply(left, bias)
        packed = None
    if one_dnn_is_quicker(left, right):
        return _one_dnn(left, right if packed is None else packed, bias)
    return F.linear(left, right, bias)


def one_dnn_is_quicker(left: Tensor, right: Tensor) -> bool:
    """Whether a product of these two is better left to oneDNN."""
    return _is_plain(left) and right.dtype == torch.float32 and processor_wants_one_dnn()


def _is_plain(values: Tensor) -> bool:
    """Whether these are float32 numbers on a processor, to be multiplied as such."""
    return (
        values.dtype == torch.float32
        and values.device.type == "cpu"
        and values.numel() > 0
        and not torch.is_autocast_enabled("cpu")
    )


@functools.cache
def processor_wants_one_dnn() -> bool:
    """Whether this is a processor with AVX-512 by AMD, and torch has both libraries."""
    has_mkl = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    if not has_mkl or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    is_amd = CPU_INFO.exists() and "AuthenticAMD" in CPU_INFO.read_text(errors="replace")
    return is_amd and one_dnn_multiplies()


def one_dnn_multiplies() -> bool:
    """Whether this version of PyTorch has oneDNN's operators for transposed and packed matrices."""
    some = torch.arange(6.0).view(2, 3)
    try:
        transposed = torch.equal(_one_dnn(some.t(), some.t(), None), some.t() @ some)
        return transposed and torch.equal(_one_dnn(some, _pack(some), None), some @ some.t())
    except (AttributeError, RuntimeError):
        return False


def _one_dnn(left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
    """Return left right^T + bias by oneDNN, [..., K] and [N, K] to [..., N]."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return product


def _pack(weight: Tensor) -> Tensor:
    """Return a weight [N, K] as `_one_dnn` reads it without laying it out first."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)
    return packed


class _OneDnnLinear(torch.autograd.Function):
    """F.linear by oneDNN, whose operator in PyTorch has no gradient of its own."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b."""
        ctx.save_for_backward(values, weight)
        return _one_dnn(values, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of what needs one."""
        values, weight = ctx.saved_tensors
        for_values, for_weight, for_bias = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])  # [M, N]
        return (
            multiply(rows, weight.t()).view(values.shape) if for_values else None,
            multiply(rows.t(), values.reshape(-1, values.shape[-1]).t()) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )

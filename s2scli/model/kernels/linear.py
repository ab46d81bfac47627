"""Linear layers: initialization, and products by the fastest library available."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from s2scli.model.kernels import one_dnn
from s2scli.model.kernels.layout import BY_ONE_DNN, FLOAT32, Layout
from s2scli.model.kernels.machine import Kernel, uses_one_dnn

LEARNING_BY_ONE_DNN = Kernel(FLOAT32, under_autocast=False, wants=uses_one_dnn)


class Linear(nn.Linear):
    """A drop-in replacement for `nn.Linear` with faster products.

    Attributes:
        layout: a packed copy of the weight for products without gradients; None before `lay_out`,
            or if packing is not faster.
    """

    layout: Layout | None = None

    def forward(self, values: Tensor) -> Tensor:
        """Map [..., input_dim] to [..., output_dim]."""
        return multiply(values, self.weight, self.bias, self.layout)

    def lay_out(self, *, int8: bool) -> None:
        """Pack the weight for later products, quantized to int8 if `int8` is true."""
        self.layout = Layout.of(self.weight, int8=int8)

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the layout from copies, because layouts cannot be copied."""
        return {**self.__dict__, "layout": None}


def make_linear(input_dim: int, output_dim: int, *, parts: int = 1, bias: bool = True) -> Linear:
    """Return a layer with uniform Xavier weights (Glorot & Bengio 2010, eq. 16) and zero bias.

    Args:
        input_dim: width of the input.
        output_dim: width of the output of each part.
        parts: the number of layers to merge into one; each is initialized as a separate layer.
        bias: whether the layer has a bias.
    """
    layer = Linear(input_dim, parts * output_dim, bias=bias)
    if not layer.weight.is_meta:  # on meta, init would import torch._dynamo, over a second
        for part in layer.weight.detach().chunk(parts):
            nn.init.xavier_uniform_(part)
        if bias:
            nn.init.zeros_(layer.bias)
    return layer


def multiply(
    left: Tensor, right: Tensor, bias: Tensor | None = None, layout: Layout | None = None
) -> Tensor:
    """Return left right^T + bias, [..., N], computed by the fastest library.

    Args:
        left: [..., K].
        right: [N, K].
        bias: [N], or None.
        layout: the packed form of `right`, or None.
    """
    if not left.numel():
        return F.linear(left, right, bias)
    if layout is not None and (packed := layout.packed(left, right)) is not None:
        return packed.multiply(left, bias)
    if BY_ONE_DNN.runs(left, right):
        return one_dnn.multiply(left, right, bias)
    if LEARNING_BY_ONE_DNN.runs(left, right):
        product: Tensor = _OneDnnLinear.apply(  # type: ignore[no-untyped-call]
            left, right, bias
        )
        return product
    return F.linear(left, right, bias)


class _OneDnnLinear(torch.autograd.Function):
    """F.linear by oneDNN, with a gradient, which PyTorch's oneDNN operator lacks."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return W x + b, [..., K] to [..., N]."""
        ctx.save_for_backward(values, weight)
        return one_dnn.multiply(values, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the inputs that require one."""
        values, weight = ctx.saved_tensors
        for_values, for_weight, for_bias = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])  # [M, N]
        return (
            multiply(rows, weight.t()).view(values.shape) if for_values else None,
            multiply(rows.t(), values.reshape(-1, values.shape[-1]).t()) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )

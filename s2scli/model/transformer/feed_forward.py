"""The position-wise feed-forward network of a Transformer layer."""

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.model.kernels.dropout import Dropout
from s2scli.model.kernels.in_place import relu
from s2scli.model.kernels.linear import make_linear

Activation = Literal["relu", "gelu", "silu", "swiglu"]


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "swiglu": F.silu,
}


class FeedForward(nn.Module):
    """The feed-forward network W f(U x), or a gated one.

    The activation f is ReLU (Vaswani et al. 2017, eq. 2), GELU (Hendrycks & Gimpel 2016) or SiLU,
    also called swish (Elfwing et al. 2018). With "swiglu" the network is W (silu(G x) * U x)
    (Shazeer 2020, eq. 6).
    """

    def __init__(self, dim: int, ffn_dim: int, activation: Activation, dropout: float) -> None:
        super().__init__()
        self.gated = activation == "swiglu"
        self.activation = ACTIVATIONS[activation]
        self.inner = make_linear(dim, ffn_dim, parts=2 if self.gated else 1)
        self.dropout = Dropout(dropout)
        self.outer = make_linear(ffn_dim, dim)

    def forward(self, states: Tensor) -> Tensor:
        """Apply the network to states [B, T, D]."""
        inner = self.inner(states)
        if self.gated:
            gate, value = inner.chunk(2, -1)
            inner = self.activation(gate) * value
        else:
            inner = self.activation(inner)
        outer: Tensor = self.outer(self.dropout(inner))
        return outer

"""The residual connection and normalization around every sublayer of a Transformer."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.kernels.dropout import Dropout

Norm = Literal["layer", "rms"]
NORMS: dict[str, type[nn.LayerNorm] | type[nn.RMSNorm]] = {
    "layer": nn.LayerNorm,  # Ba et al. 2016
    "rms": nn.RMSNorm,  # Zhang & Sennrich 2019
}
EPSILONS: dict[str, float] = {"layer": 1e-5, "rms": torch.finfo(torch.float32).eps}


class Residual(nn.Module):
    """A residual connection with normalization around a sublayer f.

    With `norm_first` it computes x + f(norm(x)) (Xiong et al. 2020), otherwise norm(x + f(x))
    (Vaswani et al. 2017).
    """

    def __init__(self, norm: nn.Module, *, norm_first: bool, dropout: float) -> None:
        super().__init__()
        self.norm = norm
        self.norm_first = norm_first
        self.dropout = Dropout(dropout)

    def before(self, states: Tensor) -> Tensor:
        """Return the input of the sublayer, [B, T, D]."""
        normed: Tensor = self.norm(states) if self.norm_first else states
        return normed

    def after(self, states: Tensor, change: Tensor) -> Tensor:
        """Add the output of the sublayer to the states, [B, T, D]."""
        states = states + self.dropout(change).to(states.dtype)  # adding mixed dtypes is slow
        normed: Tensor = states if self.norm_first else self.norm(states)
        return normed

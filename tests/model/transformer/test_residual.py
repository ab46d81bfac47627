"""Residual connections against their formulas."""

import pytest
import torch
from torch import Tensor, nn

from s2scli.model.transformer.residual import Residual

DIM = 8


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_residual_norms_before_or_after(norm_first: bool) -> None:
    torch.manual_seed(0)
    around = Residual(nn.RMSNorm(DIM), norm_first=norm_first, dropout=0.0)
    states, change = torch.randn(2, 3, DIM), torch.randn(2, 3, DIM)

    def rms(x: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + torch.finfo(torch.float32).eps).sqrt()

    torch.testing.assert_close(around.before(states), rms(states) if norm_first else states)
    total = states + change
    torch.testing.assert_close(around.after(states, change), total if norm_first else rms(total))

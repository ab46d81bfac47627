"""The scores of additive attention and their gradients against a plain formula."""

import pytest
import torch
from torch import Tensor

from s2scli.model.kernels.additive import additive_scores


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 3, 6), torch.randn(2, 5, 6), torch.randn(6)


def plain(query: Tensor, keys: Tensor, weight: Tensor) -> Tensor:
    return torch.tanh(query[:, :, None] + keys[:, None]) @ weight


def test_scores_and_gradients_are_those_of_the_formula() -> None:
    mine, twins = ([each.requires_grad_() for each in inputs()] for _ in range(2))
    found, expected = additive_scores(*mine), plain(*twins)
    torch.testing.assert_close(found, expected)
    scale = torch.randn(found.shape)
    torch.autograd.backward((found * scale).sum())
    torch.autograd.backward((expected * scale).sum())
    for one, other in zip(mine, twins, strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_in_a_search_they_are_the_same(dtype: torch.dtype) -> None:
    query, keys, weight = (each.to(dtype) for each in inputs())
    expected = plain(query.double(), keys.double(), weight.double())
    with torch.inference_mode():
        found = additive_scores(query, keys, weight)
    within = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 0.1}[dtype]
    torch.testing.assert_close(found.double(), expected, atol=within, rtol=0.0)
    assert found.dtype == dtype

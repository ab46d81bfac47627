"""The softmax of few numbers is PyTorch's."""

import pytest
import torch

from s2scli.model.kernels.softmax import WIDTH, softmax


@pytest.mark.parametrize("width", [1, 2, 15, WIDTH, 17, 100])
def test_it_is_the_softmax(width: int) -> None:
    torch.manual_seed(0)
    scores, chosen = torch.randn(3, 4, width, requires_grad=True), torch.randn(3, 4, width)
    found, expected = softmax(scores), scores.softmax(-1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, scores, chosen), torch.autograd.grad(expected, scores, chosen)
    )


def test_what_is_masked_has_no_probability() -> None:
    found = softmax(torch.tensor([[1.0, float("-inf"), 1.0], [float("-inf"), 0.0, float("-inf")]]))
    assert found.tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]

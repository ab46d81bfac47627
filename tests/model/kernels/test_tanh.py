import pytest
import torch

from s2scli.model.kernels.tanh import tanh

VALUES = torch.cat([torch.linspace(-20, 20, 4001), torch.tensor([float("inf"), -float("inf")])])


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 2e-7), (torch.float64, 5e-16)])
def test_is_the_hyperbolic_tangent(dtype: torch.dtype, within: float) -> None:
    values = VALUES.to(dtype)
    with torch.inference_mode():
        found = tanh(values)
    expected = values.double().tanh()
    torch.testing.assert_close(found.double(), expected, atol=within, rtol=0)
    assert torch.equal(values, VALUES.to(dtype)), "what it reads stays as it is"


def test_where_something_is_learned_it_is_that_of_torch() -> None:
    values = VALUES.clone().requires_grad_()
    assert torch.equal(tanh(values), torch.tanh(values))


def test_few_digits_are_left_to_torch() -> None:
    values = torch.linspace(-1, 1, 999).bfloat16()
    with torch.inference_mode():
        assert torch.equal(tanh(values), torch.tanh(values))

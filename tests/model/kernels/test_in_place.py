"""Memory is written over where no gradient needs it, and only there."""

import pytest
import torch

from s2scli.model.kernels.in_place import laid_out_for_steps, log_softmax, may_overwrite, relu


@pytest.mark.parametrize("learning", [True, False])
def test_relu_is_in_place_where_nothing_is_learned(learning: bool) -> None:
    values = torch.tensor([-1.0, 2.0])
    with torch.set_grad_enabled(learning):
        assert may_overwrite(values) != learning
        assert relu(values).tolist() == [0.0, 2.0]
    assert values.tolist() == ([-1.0, 2.0] if learning else [0.0, 2.0])


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("width", [3, 16, 8000])
def test_the_log_softmax_is_that_of_pytorch(learning: bool, rows: int, width: int) -> None:
    values = 5 * torch.randn(rows, width)
    values[0, 0] = float("-inf")
    given, expected = values.clone(), values.log_softmax(-1)
    with torch.set_grad_enabled(learning):
        found = log_softmax(values)
    assert found.equal(expected)
    assert (found.data_ptr() == values.data_ptr()) != learning
    assert not learning or values.equal(given)


def test_the_log_softmax_of_values_that_lie_apart_is_new() -> None:
    values = torch.randn(6, 4).t()
    given, expected = values.clone(), values.log_softmax(-1)
    with torch.no_grad():
        assert log_softmax(values).equal(expected)
    assert values.equal(given)


def test_what_is_read_step_by_step_stands_together() -> None:
    values = torch.randn(4, 6).t()
    assert laid_out_for_steps(values) is values
    with torch.no_grad():
        found = laid_out_for_steps(values)
    assert found.is_contiguous()
    assert found.equal(values)

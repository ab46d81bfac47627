"""Memory is written over where no gradient needs it, and only there."""

import pytest
import torch

from s2scli.model.kernels.in_place import laid_out_for_steps, may_overwrite, relu


@pytest.mark.parametrize("learning", [True, False])
def test_relu_is_in_place_where_nothing_is_learned(learning: bool) -> None:
    values = torch.tensor([-1.0, 2.0])
    with torch.set_grad_enabled(learning):
        assert may_overwrite(values) != learning
        assert relu(values).tolist() == [0.0, 2.0]
    assert values.tolist() == ([-1.0, 2.0] if learning else [0.0, 2.0])


def test_what_is_read_step_by_step_stands_together() -> None:
    values = torch.randn(4, 6).t()
    assert laid_out_for_steps(values) is values
    with torch.no_grad():
        found = laid_out_for_steps(values)
    assert found.is_contiguous()
    assert found.equal(values)

"""oneDNN's products are those of PyTorch, for weights laid out and not."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels import one_dnn
from s2scli.model.kernels.one_dnn import OneDnnWeight, multiply
from tests.machines import needs_one_dnn


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@needs_one_dnn
@pytest.mark.parametrize("bias", [random(70), None])
def test_products_are_those_of_torch(bias: Tensor | None) -> None:
    weight, together = random(70, 40), random(33, 40)
    packed = OneDnnWeight.of(weight)
    expected = F.linear(together, weight, bias)
    alone = torch.cat([packed.multiply(row[None], bias) for row in together])
    stacked = packed.multiply(together.view(3, 11, 40), bias).view(33, 70)
    for found in (
        multiply(together, weight, bias),
        packed.multiply(together, bias),
        alone,
        stacked,
    ):
        torch.testing.assert_close(found, expected)
    apart = random(33, 80)[:, ::2]
    torch.testing.assert_close(packed.multiply(apart, bias), F.linear(apart, weight, bias))


def test_a_torch_without_them_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Tensor:
        raise RuntimeError("not built")

    monkeypatch.setattr(one_dnn, "multiply", fail)
    assert not one_dnn.works()
    monkeypatch.setattr(one_dnn, "multiply", lambda left, right, bias: left @ right.t() + 1)
    assert not one_dnn.works()

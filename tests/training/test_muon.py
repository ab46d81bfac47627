"""Muon's updates of hidden matrices, and Adam's of everything else."""

import pytest
import torch
from torch import nn

from s2scli.training.muon import is_hidden_matrix
from s2scli.training.optimizer import MuonSettings


@pytest.mark.parametrize(
    ("name", "shape", "hidden"),
    [
        ("encoder.layers.0.weight", (4, 3), True),
        ("encoder.layers.0.bias", (4,), False),
        ("encoder.kernels", (4, 3, 2), False),
        ("source.table.weight", (9, 3), False),
        ("target.table.weight", (9, 3), False),
        ("output.weight", (9, 3), False),
        ("ctc.weight", (9, 3), False),
        ("outputs.weight", (9, 3), True),
    ],
)
def test_matrices_that_are_no_tables_are_hidden(
    name: str, shape: tuple[int, ...], hidden: bool
) -> None:
    assert is_hidden_matrix(name, torch.zeros(shape)) is hidden


def test_it_turns_the_hidden_matrices_and_adam_the_rest() -> None:
    torch.manual_seed(0)
    shapes = {"source.table.weight": (4, 3), "encoder.w": (4, 3), "output.w": (3, 4), "norm": (3,)}
    weights = {name: nn.Parameter(torch.randn(shape)) for name, shape in shapes.items()}
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    optimizer = MuonSettings(learning_rate=0.1).build(weights)
    gradients = {name: torch.randn_like(weight) for name, weight in weights.items()}
    for name, weight in weights.items():
        weight.grad = gradients[name].clone()
    optimizer.step()
    change = {name: before[name] - weight.detach() for name, weight in weights.items()}
    for name in ("source.table.weight", "output.w", "norm"):  # Adam's first update is lr x sign
        torch.testing.assert_close(change[name], 0.1 * gradients[name].sign(), atol=1e-4, rtol=1e-3)
    # all singular values of Muon's are about 1 before the scale 0.2 x sqrt(larger side)
    values = torch.linalg.svdvals(change["encoder.w"]) / (0.1 * 0.2 * 4**0.5)
    assert values.min() > 0.6 and values.max() < 1.3
    left, _, right = torch.linalg.svd(gradients["encoder.w"], full_matrices=False)
    assert float((change["encoder.w"] * (left @ right)).sum()) > 0


@pytest.mark.parametrize("name", ["encoder.w", "source.table.weight"])
def test_it_can_be_without_either_part(name: str) -> None:
    weight = nn.Parameter(torch.randn(4, 3))
    before = weight.detach().clone()
    weight.grad = torch.randn(4, 3)
    MuonSettings().build({name: weight}).step()
    assert not weight.equal(before)

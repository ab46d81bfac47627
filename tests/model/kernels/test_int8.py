"""Products with weights of 8 bits: near the exact ones, and the same in every batch."""

import copy
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels import int8
from s2scli.model.kernels.int8 import Int8Weight
from s2scli.model.kernels.layout import lay_out
from s2scli.model.kernels.linear import Linear
from s2scli.model.kernels.machine import this_machine
from s2scli.model.kernels.steps import Steps
from s2scli.model.recurrence import Cell, make_recurrence
from tests.machines import needs_int8

pytestmark = needs_int8
WITHOUT_VNNI = """
import torch
from s2scli.model.kernels import machine
from s2scli.model.kernels.int8 import Int8Weight
machine.CPU_INFO = machine.CPU_INFO / "not there"
weight, values = torch.full((8, 64), 0.5), torch.full((9, 64), 3.0)
levels = machine.this_machine().int8_levels
assert levels == 63
print(Int8Weight.of(weight, levels).multiply(values, None).sub(96).abs().max().item() < 0.5)
"""
LEVELS = this_machine().int8_levels


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rounded(weight: Tensor, values: Tensor) -> Tensor:
    """The product as defined, one number after another in float64."""
    weight, values = weight.double(), values.double()
    weight_scale = weight.abs().amax(1) / 127
    scale = values.abs().amax(1) / LEVELS
    integers = torch.floor(values / scale[:, None] + 0.5)
    return (integers @ (weight / weight_scale[:, None]).round().t()) * scale[:, None] * weight_scale


@pytest.mark.parametrize("rows", [1, 8, 9, 32, 70])
def test_the_product_is_that_of_the_rounded_numbers(rows: int) -> None:
    weight, values, bias = random(70, 40), random(rows, 40, seed=1), random(70, seed=2)
    found = Int8Weight.of(weight, LEVELS).multiply(values, bias).double()
    # a number that is as near to one integer as to another may go either way
    torch.testing.assert_close(found, rounded(weight, values) + bias, atol=0.05, rtol=0.0)
    exact = F.linear(values, weight, bias)
    assert (found - exact).norm() < 0.02 * exact.norm()


def test_a_row_is_the_same_whatever_stands_beside_it() -> None:
    weight = Int8Weight.of(random(70, 40), LEVELS)
    values = random(33, 40, seed=1) * torch.logspace(-3, 3, 33)[:, None]
    together = weight.multiply(values, None)
    for row, found in zip(values, together, strict=True):
        assert torch.equal(weight.multiply(row[None], None)[0], found)
        assert torch.equal(weight.multiply(row, None), found)
    assert torch.equal(weight.multiply(values.view(3, 11, 40), None).view(33, 70), together)
    assert torch.equal(
        weight.multiply(random(33, 80)[:, ::2], None),
        weight.multiply(random(33, 80)[:, ::2].contiguous(), None),
    )


def test_rows_of_zeros_stay_zeros() -> None:
    weight = random(5, 6)
    weight[2] = 0.0
    found = Int8Weight.of(weight, LEVELS).multiply(torch.zeros(3, 6), None)
    assert torch.equal(found, torch.zeros(3, 5))
    assert Int8Weight.of(weight, LEVELS).multiply(random(3, 6), None)[:, 2].tolist() == [0.0] * 3


def test_large_numbers_do_not_overflow_without_products_of_8_bits_in_the_processor() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_VNNI],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"


def test_gradients_are_those_of_the_exact_weights() -> None:
    layer, values = Linear(5, 3), random(4, 5)
    exact = F.linear(values, layer.weight, layer.bias)
    lay_out(layer, int8=True)
    torch.testing.assert_close(layer(values), exact)
    with torch.inference_mode():
        rough = layer(values)
        assert not torch.equal(rough, exact)
        torch.testing.assert_close(rough, exact, atol=0.1, rtol=0.0)
        torch.testing.assert_close(copy.deepcopy(layer)(values), exact)
        assert layer.double()(values.double()).dtype == torch.float64


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_steps_of_a_recurrence_multiply_in_8_bits(cell: Cell) -> None:
    torch.manual_seed(0)
    recurrence = make_recurrence(cell, 5, 7, 2, bidirectional=False, dropout=0.0).eval()
    steps = Steps(recurrence)
    hidden = tuple(random(2, 4, 7, seed=part) for part in range(2 if cell == "lstm" else 1))
    with torch.inference_mode():
        exact = steps(random(4, 5), hidden)
        steps.lay_out(int8=True)
        rough = steps(random(4, 5), hidden)
    for one, other in zip(exact, rough, strict=True):
        assert not torch.equal(one, other)
        torch.testing.assert_close(other, one, atol=0.05, rtol=0.0)


def test_a_processor_without_them_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(weight: Tensor, levels: int) -> Int8Weight:
        raise RuntimeError("not built")

    assert int8.works()
    monkeypatch.setattr(Int8Weight, "of", fail)
    assert not int8.works()

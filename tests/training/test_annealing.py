"""Annealing against its formulas, written out a second time."""

import math

import pytest

from s2scli.training.annealing import (
    AnnealingSettings,
    ConstantAnnealingSettings,
    CyclicalAnnealingSettings,
    LinearAnnealingSettings,
    LogisticAnnealingSettings,
)

EVERY_KIND = [
    ConstantAnnealingSettings(),
    LinearAnnealingSettings(),
    LogisticAnnealingSettings(),
    CyclicalAnnealingSettings(),
]


def test_constant_is_beta() -> None:
    assert {ConstantAnnealingSettings(beta=0.3).weight(step) for step in (1, 7, 10**6)} == {0.3}
    assert ConstantAnnealingSettings().weight(1) == 1, "the lower bound unless told otherwise"


@pytest.mark.parametrize(
    ("step", "weight"), [(1, 0), (10, 0), (11, 0.025), (30, 0.5), (50, 1), (51, 1), (10**6, 1)]
)
def test_linear_waits_then_grows(step: int, weight: float) -> None:
    annealing = LinearAnnealingSettings(wait_steps=10, grow_steps=40)
    assert annealing.weight(step) == pytest.approx(weight)


@pytest.mark.parametrize("step", [1, 90, 100, 101, 140, 1000])
def test_logistic_is_the_curve(step: int) -> None:
    annealing = LogisticAnnealingSettings(middle_step=100, slope=0.05)
    assert annealing.weight(step) == pytest.approx(1 / (1 + math.exp(-0.05 * (step - 100))))


def test_logistic_does_not_overflow() -> None:
    annealing = LogisticAnnealingSettings(middle_step=10**9, slope=100)
    assert (annealing.weight(1), annealing.weight(10**9), annealing.weight(10**10)) == (0, 0.5, 1)


@pytest.mark.parametrize("step", range(1, 45))
def test_cyclical_is_equations_6_and_7_of_fu(step: int) -> None:
    total, cycles, share = 40, 4, 0.5
    tau = ((step - 1) % math.ceil(total / cycles)) / (total / cycles)
    expected = tau / share if tau <= share else 1.0
    annealing = CyclicalAnnealingSettings(cycles=cycles, cycle_steps=10, grow_share=share)
    assert annealing.weight(step) == pytest.approx(1 if step > total else expected)


@pytest.mark.parametrize("annealing", EVERY_KIND, ids=lambda each: each.kind)
def test_every_kind_ends_at_the_lower_bound(annealing: AnnealingSettings) -> None:
    weights = [annealing.weight(step) for step in range(1, 40_000, 97)]
    assert all(0 <= weight <= 1 for weight in weights)
    assert weights[-1] == pytest.approx(1, abs=1e-6)

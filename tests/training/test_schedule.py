"""Schedules against their formulas, written out a second time."""

import math

import pytest

from s2scli.training.schedule import (
    ConstantSettings,
    CosineSettings,
    InverseSqrtSettings,
    PlateauSettings,
    PlateauState,
    warmup,
)


@pytest.mark.parametrize(
    ("step", "steps", "factor"), [(1, 0, 1), (1, 4, 0.25), (3, 4, 0.75), (4, 4, 1), (9, 4, 1)]
)
def test_warmup_is_linear(step: int, steps: int, factor: float) -> None:
    assert warmup(step, steps) == factor
    assert ConstantSettings(warmup_steps=steps).factor(step) == factor
    assert PlateauSettings(warmup_steps=steps).factor(step) == factor


@pytest.mark.parametrize("step", [1, 2, 99, 100, 101, 400, 10_000])
def test_inverse_sqrt_is_equation_3_of_vaswani(step: int) -> None:
    # lrate = d^-0.5 min(step^-0.5, step x warmup^-1.5), scaled to be 1 at its peak
    expected = min(step**-0.5, step * 100**-1.5) * 100**0.5
    assert InverseSqrtSettings(warmup_steps=100).factor(step) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        (1, 0.1),
        (10, 1.0),
        (35, 0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2),
        (60, 0.6),
        (110, 0.2),
        (1000, 0.2),
    ],
)
def test_cosine_falls_to_its_floor_and_stays(step: int, factor: float) -> None:
    schedule = CosineSettings(warmup_steps=10, total_steps=110, floor=0.2)
    assert schedule.factor(step) == pytest.approx(factor, rel=1e-12)


def test_a_cosine_without_warmup_begins_at_the_top() -> None:
    assert CosineSettings(warmup_steps=0, total_steps=1000, floor=0).factor(1) > 0.99999
    assert CosineSettings(warmup_steps=10, total_steps=5, floor=0.5).factor(11) == 0.5


@pytest.mark.parametrize(
    ("step", "used", "same_as"),
    [(50, 0, 50), (50, 0.4, 50), (50, 0.6, 66), (50, 1, 110), (109, 2, 110), (11, 0.9, 99)],
)
def test_a_cosine_in_time_falls_with_it_where_fewer_updates_were_made_than_planned(
    step: int, used: float, same_as: int
) -> None:
    plain = CosineSettings(warmup_steps=10, total_steps=110, floor=0.2)
    timed = plain.model_copy(update={"in_time": True})
    assert timed.factor(step, used) == pytest.approx(plain.factor(same_as), rel=1e-12)
    assert plain.factor(step, used) == plain.factor(step)


@pytest.mark.parametrize(
    ("used", "factor"), [(0, 0.5), (0.05, 0.5), (0.5, 0.5), (0.9, 0.03), (1, 0)]
)
def test_a_warmup_that_takes_all_the_time_ends_in_time(used: float, factor: float) -> None:
    schedule = CosineSettings(warmup_steps=10, total_steps=110, floor=0, in_time=True)
    assert schedule.factor(5, used) == pytest.approx(min(0.5, schedule.factor(10, used)))
    assert schedule.factor(5, used) == pytest.approx(factor, abs=0.01)


def test_plateau_halves_after_patience_validations_without_a_better_score() -> None:
    schedule = PlateauSettings(decay=0.5, patience=2)
    scores = [True, False, True, False, False, False, True, False, False]
    expected = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    state, scales = PlateauState(), []
    for improved in scores:
        state = schedule.after_validation(state, improved=improved)
        scales.append(state.scale)
    assert scales == expected


@pytest.mark.parametrize("schedule", [ConstantSettings(), InverseSqrtSettings(), CosineSettings()])
def test_other_schedules_do_not_look_at_validations(
    schedule: ConstantSettings | InverseSqrtSettings | CosineSettings,
) -> None:
    state = PlateauState(0.5, 3)
    assert schedule.after_validation(state, improved=False) == state

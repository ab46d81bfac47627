"""The products of a model are timed by library and precision, within a limit."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import nn

from s2scli.model.kernels.linear import Linear
from s2scli.model.kernels.machine import this_machine
from s2scli.model.kernels.products import (
    FEWEST_WEIGHTS,
    MOST_OUTPUTS,
    MOST_SECONDS,
    ROUNDS,
    WAYS,
    Way,
    fastest_library,
    has_large_products,
    is_bfloat16_faster,
    measure_products,
)
from tests.machines import needs_one_dnn
from tests.model.kernels.clocks import StandInClock

WITH_ONE_DNN = replace(this_machine(), has_one_dnn=True)


def model(*layers: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(*(Linear(inputs, outputs) for inputs, outputs in layers))


def test_times_are_sums_over_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StandInClock({"torch": 0.01, "oneDNN": 0.02, "bfloat16": 0.03})
    clock.replace_ways(monkeypatch)
    found = measure_products(model((4, 8), (8, 4), (4, 8)), 10, WITH_ONE_DNN, clock)
    assert found == pytest.approx({"torch": 0.03, "oneDNN": 0.06, "bfloat16": 0.09})
    assert clock.calls == 3 + ROUNDS * 3 * 2  # two shapes, of which one occurs twice


def test_the_best_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StandInClock({"torch": 0.01, "oneDNN": 0.01, "bfloat16": 0.01}, slow_calls=6)
    clock.replace_ways(monkeypatch)
    found = measure_products(model((4, 8)), 10, WITH_ONE_DNN, clock)
    assert found == pytest.approx(dict.fromkeys(WAYS, 0.01))


@pytest.mark.parametrize(
    ("inputs", "outputs", "rows"),
    [(2048, 2048, 16), (512, 2048, 64), (64, 10 * MOST_OUTPUTS, 256), (8192, 8192, 16)],
)
def test_a_part_stands_for_a_large_product(
    inputs: int, outputs: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StandInClock({"torch": 0.01, "oneDNN": 0.01, "bfloat16": 0.01})
    clock.replace_ways(monkeypatch)
    with torch.device("meta"):
        large = model((inputs, outputs))
    found = measure_products(large, 4096, WITH_ONE_DNN, clock)
    assert clock.rows == {1, rows}  # one row to load the library
    share = rows / 4096 * min(outputs, MOST_OUTPUTS) / outputs
    assert found["torch"] == pytest.approx(0.01 / share)


def test_a_machine_without_one_dnn_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StandInClock({"torch": 0.02, "bfloat16": 0.01})
    clock.replace_ways(monkeypatch)
    machine = replace(WITH_ONE_DNN, has_one_dnn=False)
    assert measure_products(model((4, 8)), 10, machine, clock).keys() == {"torch", "bfloat16"}


@pytest.mark.parametrize(("seconds", "rounds"), [(0.01, 10), (0.1, 2), (0.16, 1), (0.3, 0)])
def test_it_ends_in_time(seconds: float, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that were completed count; on a machine too slow for one, nothing is measured."""
    clock = StandInClock(dict.fromkeys(WAYS, seconds))
    clock.replace_ways(monkeypatch)
    found = measure_products(model((4, 8), (8, 4)), 10, WITH_ONE_DNN, clock)
    assert clock.now <= MOST_SECONDS + seconds < 2
    assert bool(found) == (rounds > 0)


@needs_one_dnn
def test_all_ways_make_the_same_product() -> None:
    values, weight = torch.randn(5, 16), torch.randn(8, 16)
    for way, multiply in WAYS.items():
        tolerance = 0.1 if way == "bfloat16" else 1e-5
        assert torch.allclose(multiply(values, weight).float(), values @ weight.t(), atol=tolerance)


def test_measuring_leaves_the_random_state_alone() -> None:
    measured = model((64, 32))
    before = torch.random.get_rng_state()
    assert min(measure_products(measured, 16, this_machine()).values()) > 0
    assert torch.equal(torch.random.get_rng_state(), before)


def test_which_weights_are_multiplied() -> None:
    assert not has_large_products(nn.Embedding(FEWEST_WEIGHTS, 2))  # only looked into
    assert not has_large_products(model((FEWEST_WEIGHTS // 4, 3)))
    assert has_large_products(model((FEWEST_WEIGHTS // 4, 4)))
    assert has_large_products(nn.LSTM(512, 512))  # 4 gates, from the input and the state


@pytest.mark.parametrize(
    ("seconds", "library", "bfloat16"),
    [
        ({"torch": 1.0, "bfloat16": 0.5}, "torch", True),
        ({"torch": 1.0, "oneDNN": 0.5, "bfloat16": 0.48}, "oneDNN", False),
        ({"torch": 1.0, "oneDNN": 0.5, "bfloat16": 0.4}, "oneDNN", True),
        ({"torch": 1.0, "oneDNN": 0.95, "bfloat16": 0.95}, "torch", False),  # too close to call
        ({"torch": 1.0, "oneDNN": 3.0, "bfloat16": 9.0}, "torch", False),
    ],
)
def test_what_is_clearly_faster_wins(
    seconds: Mapping[Way, float], library: str, bfloat16: bool
) -> None:
    assert fastest_library(seconds) == library
    assert is_bfloat16_faster(seconds) is bfloat16

"""A run chooses its library and precision by the clock once, and keeps them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from s2scli.model.kernels.linear import Linear
from s2scli.model.kernels.machine import Library, set_library, this_machine, uses_one_dnn
from s2scli.model.kernels.products import Way
from s2scli.training import products
from s2scli.training.machine import describe_machine
from s2scli.training.products import CHOICES, Products, choose_products
from s2scli.training.world import ALONE
from tests.model.kernels.clocks import StandInClock
from tests.training.processes import connected
from tests.training.runs import CPU, training_settings

WITH_ONE_DNN = replace(this_machine(), has_one_dnn=True)
LARGE, SMALL = Linear(1024, 1024), Linear(8, 8)
BFLOAT16_WINS: Mapping[Way, float] = {"torch": 0.04, "oneDNN": 0.02, "bfloat16": 0.01}
TORCH_WINS: Mapping[Way, float] = {"torch": 0.01, "oneDNN": 0.02, "bfloat16": 0.04}
AUTO = training_settings(precision="auto")


@pytest.fixture(autouse=True)
def one_dnn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(products, "this_machine", lambda: WITH_ONE_DNN)
    yield
    set_library(None)


def choose(
    seconds: Mapping[Way, float],
    monkeypatch: pytest.MonkeyPatch,
    before: Mapping[str, Any] | None = None,
    model: nn.Module = LARGE,
    device: torch.device = CPU,
) -> Products:
    clock = StandInClock(seconds)
    clock.replace_ways(monkeypatch)
    return choose_products(AUTO, device, model, ALONE, before, clock)


def test_the_clock_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(BFLOAT16_WINS, monkeypatch) == Products("oneDNN", "bfloat16")
    assert choose(TORCH_WINS, monkeypatch) == Products("torch", "float32")


def test_a_resumed_run_keeps_its_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = choose(BFLOAT16_WINS, monkeypatch).use(AUTO)
    before = describe_machine(settings, CPU, ALONE, 2)
    assert (before["products by"], before["precision"]) == ("oneDNN", "bfloat16")
    again = choose(TORCH_WINS, monkeypatch, before)
    assert again == Products("oneDNN", "bfloat16")
    assert describe_machine(again.use(AUTO), CPU, ALONE, 2) == before


def test_what_was_asked_for_is_not_replaced() -> None:
    asked = training_settings(precision="float32")
    assert Products("torch", "bfloat16").use(asked) == asked
    assert Products("torch", "bfloat16").use(AUTO).precision == "bfloat16"
    assert Products().use(AUTO) == AUTO


@pytest.mark.parametrize("library", ["torch", "oneDNN"])
def test_the_process_uses_the_library(library: Library) -> None:
    Products(library).use(AUTO)
    assert uses_one_dnn(this_machine()) == (library == "oneDNN")
    Products().use(AUTO)
    assert uses_one_dnn(this_machine()) == this_machine().prefers_one_dnn


def test_small_models_and_gpus_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(BFLOAT16_WINS, monkeypatch, model=SMALL) == Products()
    assert choose(BFLOAT16_WINS, monkeypatch, device=torch.device("cuda")) == Products()


def test_a_machine_that_is_too_slow_keeps_its_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(dict.fromkeys(BFLOAT16_WINS, 1.0), monkeypatch) == Products()


NOW = {"device": "cpu", "products by": "torch", "precision": "bfloat16"}


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (NOW, Products("torch", "bfloat16")),
        ({**NOW, "device": "A GPU"}, Products()),
        ({"device": "cpu", "precision": "float32"}, Products()),  # of an older version
        ({**NOW, "products by": "abacus"}, Products()),
        ({**NOW, "precision": "float8"}, Products()),
    ],
)
def test_a_choice_is_kept_where_it_is_possible(
    before: Mapping[str, Any], expected: Products, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose(BFLOAT16_WINS, monkeypatch, before) == expected


def test_without_one_dnn_torch_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    without = replace(WITH_ONE_DNN, has_one_dnn=False)
    monkeypatch.setattr(products, "this_machine", lambda: without)
    before = {**NOW, "products by": "oneDNN"}
    assert choose(BFLOAT16_WINS, monkeypatch, before) == Products("torch", "bfloat16")


def test_all_processes_do_what_the_first_has_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def measure(*run: object) -> Products:
        measured.append(run)
        return Products("oneDNN", "float32")

    monkeypatch.setattr(products, "_measured", measure)
    found = connected(2, lambda world: choose_products(AUTO, CPU, LARGE, world, None))
    assert found == [Products("oneDNN", "float32")] * 2
    assert len(measured) == 1
    assert len({*CHOICES}) == 5

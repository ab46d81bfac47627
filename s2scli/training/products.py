"""Choose the library and the precision of a run's products: measured once, then kept.

A new run on a CPU measures them (`model.kernels.products`); its checkpoints hold the choice, with
the rest of the machine, and a resumed run makes the same products again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import nn

from s2scli.model.kernels.machine import Library, set_library, this_machine
from s2scli.model.kernels.products import (
    fastest_library,
    has_large_products,
    is_bfloat16_faster,
    measure_products,
)
from s2scli.training.precision import Arithmetic
from s2scli.training.settings import TrainingSettings
from s2scli.training.world import World


@dataclass(frozen=True)
class Products:
    """How a run multiplies matrices; None leaves it to the rule of the machine.

    Attributes:
        library: for float32, on a CPU.
        precision: where `training.precision` is auto.
    """

    library: Library | None = None
    precision: Arithmetic | None = None

    def use(self, settings: TrainingSettings) -> TrainingSettings:
        """Set the library of this process; return the settings with the precision."""
        set_library(self.library)
        if settings.precision != "auto" or self.precision is None:
            return settings
        return settings.model_copy(update={"precision": self.precision})


CHOICES = (
    Products(),
    *(
        Products(library, precision)
        for library in get_args(Library)
        for precision in get_args(Arithmetic)
    ),
)


def choose_products(
    settings: TrainingSettings,
    device: torch.device,
    model: nn.Module,
    world: World,
    before: Mapping[str, Any] | None,
    clock: Callable[[], float] = time.perf_counter,
) -> Products:
    """Return how a run multiplies matrices, the same in all processes.

    Args:
        settings: the training settings.
        device: the device to train on; on a GPU, nothing is measured.
        model: the model.
        world: the processes that train together; the first one measures.
        before: the machine of the checkpoint to resume from; None for a new run.
        clock: tells the time, in seconds.
    """
    if device.type != "cpu":
        return Products()
    if before is not None:
        return _recorded(before)
    if not has_large_products(model):
        return Products()
    measure: Callable[[], Products] = world.choose(
        lambda: _measured(settings, model, clock), lambda: Products()
    )
    return CHOICES[int(world.broadcast(CHOICES.index(measure())))]


def _recorded(before: Mapping[str, Any]) -> Products:
    """Return what a run did so far, if it did that on a CPU and this one can do it."""
    found = Products(before.get("products by"), before.get("precision"))
    if before.get("device") != "cpu" or found not in CHOICES:
        return Products()
    if found.library == "oneDNN" and not this_machine().has_one_dnn:
        return Products("torch", found.precision)
    return found


def _measured(settings: TrainingSettings, model: nn.Module, clock: Callable[[], float]) -> Products:
    seconds = measure_products(model, settings.batch_tokens, this_machine(), clock)
    if not seconds:
        return Products()
    precision: Arithmetic = "bfloat16" if is_bfloat16_faster(seconds) else "float32"
    return Products(fastest_library(seconds), precision)

"""Measure which library and which precision multiply the matrices of a model fastest on a CPU."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.model.kernels import one_dnn
from s2scli.model.kernels.machine import Library, Machine

Way = Literal["torch", "oneDNN", "bfloat16"]
Multiply = Callable[[Tensor, Tensor], Tensor]
WAYS: Mapping[Way, Multiply] = {
    "torch": F.linear,
    "oneDNN": lambda values, weight: one_dnn.multiply(values, weight, None),
    "bfloat16": lambda values, weight: F.linear(values.bfloat16(), weight.bfloat16()),
}
LAYERS = (nn.Linear, nn.RNNBase)
MOST_SHAPES = 6
MULTIPLICATIONS = 2**26  # of one product: about a millisecond, seldom interrupted by others
MOST_OUTPUTS = 4096
ROUNDS = 10
MOST_SECONDS = 1.5
# Below this, everything else takes longer than the products, and their times are mostly noise.
FEWEST_WEIGHTS = 1_000_000
ENOUGH = 0.9  # of the other's time, so that chance does not choose between equals


@dataclass(frozen=True)
class Product:
    """A part of a product of a model, which stands for all of its kind.

    Attributes:
        values: a part of the rows of its input, [M, K].
        weight: a part of its weight, [N, K].
        scale: the size of all products of this shape over that of this part.
    """

    values: Tensor
    weight: Tensor
    scale: float

    @classmethod
    def of(cls, shape: tuple[int, int], count: int, rows: int) -> "Product":
        """Return a part of `count` products of weights of a shape [N, K] with so many rows."""
        outputs, inputs = min(shape[0], MOST_OUTPUTS), shape[1]
        some = min(rows, max(16, MULTIPLICATIONS // (outputs * inputs)))
        scale = count * (rows / some) * (shape[0] / outputs)
        return cls(torch.ones(some, inputs), torch.ones(outputs, inputs), scale)


def has_large_products(model: nn.Module) -> bool:
    """Whether a model is large enough for its products to be worth measuring."""
    weights = sum(count * math.prod(shape) for shape, count in _shapes(model).items())
    return weights >= FEWEST_WEIGHTS


def measure_products(
    model: nn.Module,
    rows: int,
    machine: Machine,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Way, float]:
    """Return the seconds that the largest products of a model take, by library and precision.

    Each is the best of `ROUNDS` rounds, which end after `MOST_SECONDS`. The random state is not
    used.

    Args:
        model: the model; its linear and recurrent layers count, embeddings do not.
        rows: the tokens of a batch.
        machine: the machine, which may lack oneDNN.
        clock: tells the time, in seconds.

    Returns:
        The seconds; empty if the machine is too slow for one round.
    """
    products = [Product.of(shape, count, rows) for shape, count in _shapes(model).items()]
    ways = {way: WAYS[way] for way in WAYS if way != "oneDNN" or machine.has_one_dnn}
    best: list[list[float]] = []
    end = clock() + MOST_SECONDS
    with torch.inference_mode():
        for multiply in ways.values():  # the first call loads the library
            multiply(products[0].values[:1], products[0].weight[:1])
        for _ in range(ROUNDS):
            times = _round(products, list(ways.values()), clock, end)
            if times is None:
                break
            best = [list(map(min, *pair)) for pair in zip(best or times, times, strict=True)]
    if not best:
        return {}
    return {
        way: sum(s * product.scale for s, product in zip(seconds, products, strict=True))
        for way, seconds in zip(ways, best, strict=True)
    }


def _shapes(model: nn.Module) -> dict[tuple[int, int], int]:
    """Return the shapes [outputs, inputs] with the most weights, and how often each occurs."""
    found = Counter(
        (weight.shape[0], weight.shape[1])
        for layer in model.modules()
        if isinstance(layer, LAYERS)
        for weight in layer.parameters(recurse=False)
        if weight.dim() == 2
    )
    largest = sorted(found, key=lambda shape: -found[shape] * math.prod(shape))
    return {shape: found[shape] for shape in largest[:MOST_SHAPES]}


def _round(
    products: Sequence[Product],
    ways: Sequence[Multiply],
    clock: Callable[[], float],
    end: float,
) -> list[list[float]] | None:
    """Return the seconds of each product, in each way; None if the time is up."""
    times: list[list[float]] = [[] for _ in ways]
    for product in products:
        for multiply, taken in zip(ways, times, strict=True):
            start = clock()
            if start >= end:
                return None
            multiply(product.values, product.weight)
            taken.append(clock() - start)
    return times


def fastest_library(seconds: Mapping[Way, float]) -> Library:
    """Return the library for products of float32."""
    return "oneDNN" if seconds.get("oneDNN", torch.inf) < ENOUGH * seconds["torch"] else "torch"


def is_bfloat16_faster(seconds: Mapping[Way, float]) -> bool:
    """Whether bfloat16 is faster than float32 by its fastest library."""
    return seconds["bfloat16"] < ENOUGH * seconds[fastest_library(seconds)]

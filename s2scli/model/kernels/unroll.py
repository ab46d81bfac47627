"""Recurrent layers over whole sequences, for training on a CPU.

PyTorch records every operation of every step, and adds up the gradient of the recurrent weights
step by step. Here, a step back takes the few operations that depend on the step after it: the
slopes of all steps are computed at once, and so is the gradient of the weights.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2scli.model.kernels.cells import CELLS, Cell
from s2scli.model.kernels.dropout import drop
from s2scli.model.kernels.linear import multiply
from s2scli.model.kernels.machine import FLOATS, Kernel
from s2scli.model.kernels.steps import Recurrence

BY_UNROLLING = Kernel(FLOATS - {torch.float16}, gradients_only=True)


def unroll(
    recurrence: Recurrence, values: Tensor, sizes: Sequence[int]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a recurrence from a state of zero, as PyTorch does for a packed sequence.

    Args:
        recurrence: the layers.
        values: the inputs of the first step, then those of the second, and so on, [R, I].
        sizes: the number of rows of each step; never more than those of the step before.

    Returns:
        The outputs, [R, D], and the state after the last step of each row, each part [L, N, D].
        L and D count both directions.
    """
    cell = CELLS[recurrence.mode]
    order = Order.of(sizes)
    weights = iter(recurrence.all_weights)
    finals = []
    for layer in range(recurrence.num_layers):
        outputs = []
        for backwards in (False, True)[: 1 + recurrence.bidirectional]:
            inputs = values.index_select(0, order.backwards) if backwards else values
            parts = _run(cell, order, inputs, next(weights))
            finals.append([part.index_select(0, order.last) for part in parts])
            states = parts[0].index_select(0, order.backwards) if backwards else parts[0]
            outputs.append(states)
        values = torch.cat(outputs, dim=-1)
        if layer + 1 < recurrence.num_layers and recurrence.training:
            values = drop(values, recurrence.dropout)
    return values, tuple(torch.stack(part) for part in zip(*finals, strict=True))


@dataclass(frozen=True)
class Order:
    """How the rows of all steps follow each other.

    Attributes:
        sizes: the number of rows of each step.
        before: where each row of the second and later steps is in the step before, [R - N].
        last: where the last step of each row is, [N].
        backwards: where each row of a step is if its sequence is read from its end, [R].
    """

    sizes: tuple[int, ...]
    before: Tensor
    last: Tensor
    backwards: Tensor

    @classmethod
    def of(cls, sizes: Sequence[int]) -> "Order":
        """Return the order of steps with these numbers of rows."""
        counts = torch.tensor(sizes)
        starts = counts.cumsum(0) - counts  # where each step begins, [T]
        step = torch.arange(len(counts)).repeat_interleave(counts)  # of each row, [R]
        sentence = torch.arange(len(step)) - starts[step]
        lengths = torch.bincount(sentence)
        later = slice(counts[0], None)
        return cls(
            tuple(sizes),
            starts[step[later] - 1] + sentence[later],
            starts[lengths - 1] + torch.arange(len(lengths)),
            starts[lengths[sentence] - 1 - step] + sentence,
        )

    def spans(self) -> list[slice]:
        """Return the rows of each step."""
        ends = list(itertools.accumulate(self.sizes))
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]

    def shifted(self, part: Tensor) -> Tensor:
        """Return a part of the state before each step, given it after each step, [R, D]."""
        start = part.new_zeros(self.sizes[0], part.shape[1])
        return torch.cat([start, part.index_select(0, self.before)])


def _run(cell: Cell, order: Order, inputs: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the parts of the state after each step of one layer, each [R, D]."""
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    seen = multiply(inputs, weight_ih, bias_ih)  # [R, G]
    parts: tuple[Tensor, ...] = _Unroll.apply(  # type: ignore[no-untyped-call]
        cell, order, seen, weight_hh.to(seen.dtype), bias_hh.to(seen.dtype)
    )
    return parts


class _Unroll(torch.autograd.Function):
    """The steps of one layer, and their gradient.

    Products are in the dtype of `seen`; states and gates are in float32 if that is bfloat16.
    """

    @staticmethod
    def forward(
        ctx: Any, cell: Cell, order: Order, seen: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the parts of the state after each step, each [R, D]."""
        wide = torch.promote_types(seen.dtype, torch.float32)
        rows, dim = len(seen), weight.shape[1]
        tape = torch.empty(rows, cell.tape * dim, dtype=wide)
        tape[:, : seen.shape[1]] = seen
        parts = tuple(tape.new_empty(rows, dim) for _ in range(cell.parts))
        before = tuple(tape.new_zeros(order.sizes[0], dim) for _ in parts)
        for span, size in zip(order.spans(), order.sizes, strict=True):
            before = tuple(part[:size] for part in before)
            after = tuple(part[span] for part in parts)
            kept = multiply(before[0].to(seen.dtype), weight, bias)
            cell.step(tape[span], kept, before, after)
            before = after
        ctx.save_for_backward(tape, weight, *parts)
        ctx.cell, ctx.order = cell, order
        ctx.set_materialize_grads(False)
        return tuple(part.to(seen.dtype) for part in parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of `seen`, the weight and the bias."""
        tape, weight, *parts = ctx.saved_tensors
        cell, order = ctx.cell, ctx.order
        before = [order.shifted(part) for part in parts]
        slopes = cell.slopes(tape, before, parts)
        for_seen = tape.new_empty(len(tape), len(weight))
        for_kept = torch.empty_like(for_seen) if cell.splits else for_seen
        same = weight.dtype == tape.dtype
        low = for_kept if same else torch.empty_like(for_kept, dtype=weight.dtype)  # for products
        carried = [part.new_zeros(order.sizes[0], part.shape[1]) for part in parts]
        for span, size in reversed(list(zip(order.spans(), order.sizes, strict=True))):
            here = [part[:size] for part in carried]
            for part, gradient in zip(here, gradients, strict=True):
                if gradient is not None:
                    part += gradient[span]
            cell.back([slope[span] for slope in slopes], here, for_seen[span], for_kept[span])
            if not same:
                low[span] = for_kept[span]
            here[0] += multiply(low[span], weight.t())
        for_weight = multiply(low.t(), before[0].to(weight.dtype).t())
        return None, None, for_seen.to(weight.dtype), for_weight, low.sum(0)

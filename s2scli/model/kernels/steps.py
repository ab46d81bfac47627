"""Single steps of the recurrent cells, for a search on a processor."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from s2scli.model.kernels.layout import Layout
from s2scli.model.kernels.linear import multiply
from s2scli.model.kernels.machine import Kernel
from s2scli.model.kernels.tanh import tanh

Recurrence = nn.RNN | nn.GRU | nn.LSTM
BY_STEPS = Kernel(inference_only=True, under_autocast=False)


class Steps:
    """Single steps of a recurrence on a processor, without gradients, cell by cell.

    PyTorch's layers are made for long sequences: each call lays out their weights again, or uses a
    slower library for the products.

    Args:
        recurrence: whose weights it reads.
    """

    def __init__(self, recurrence: Recurrence) -> None:
        self.recurrence = recurrence
        self.layouts: list[tuple[Layout | None, Layout | None]] = self._no_layouts()

    def lay_out(self, *, int8: bool) -> None:
        """Lay the weights out for the steps to come."""
        self.layouts = [
            (Layout.of(weight_ih, int8=int8), Layout.of(weight_hh, int8=int8))
            for weight_ih, weight_hh, *_ in self.recurrence.all_weights
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the layouts out of copies, as they cannot be copied."""
        return {**self.__dict__, "layouts": self._no_layouts()}

    def can_take(self, values: Tensor) -> bool:
        """Whether this class computes the step with these inputs, [N, T, I]."""
        return values.shape[1] == 1 and not self.recurrence.training and BY_STEPS.runs(values)

    def __call__(self, values: Tensor, hidden: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the state after one step.

        Args:
            values: the input, [N, I].
            hidden: the state before it, each part [L, N, D].
        """
        cell = CELLS[self.recurrence.mode]
        after = []
        for weights, layouts, *before in zip(
            self.recurrence.all_weights, self.layouts, *hidden, strict=True
        ):
            weight_ih, weight_hh, bias_ih, bias_hh = weights
            seen = multiply(values, weight_ih, bias_ih, layouts[0])
            kept = multiply(before[0], weight_hh, bias_hh, layouts[1])
            after.append(cell(seen, kept, before))
            values = after[-1][0]
        return tuple(torch.stack(parts) for parts in zip(*after, strict=True))

    def _no_layouts(self) -> list[tuple[Layout | None, Layout | None]]:
        return [(None, None)] * self.recurrence.num_layers


# A cell takes W x + b, U h + b of all its gates, and the parts of the state before, [N, D].


def elman(seen: Tensor, kept: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Elman 1990: h' = tanh(W x + U h)."""
    return (tanh(seen + kept),)


def gru(seen: Tensor, kept: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Cho et al. 2014: h' = (1 - z) n + z h, n = tanh(W x + r U h), with gates r and z."""
    width = before[0].shape[1]
    reset, update = (seen[:, : 2 * width] + kept[:, : 2 * width]).sigmoid_().chunk(2, 1)
    new = tanh(torch.addcmul(seen[:, 2 * width :], reset, kept[:, 2 * width :]))
    return (torch.lerp(new, before[0], update),)


def lstm(seen: Tensor, kept: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Hochreiter & Schmidhuber 1997: c' = f c + i g, h' = o tanh(c'), with gates i, f and o."""
    enters, stays, new, leaves = (seen + kept).chunk(4, 1)
    cell = torch.addcmul(stays.sigmoid() * before[1], enters.sigmoid(), tanh(new))
    return leaves.sigmoid() * tanh(cell), cell


CELLS: dict[str, Callable[[Tensor, Tensor, Sequence[Tensor]], tuple[Tensor, ...]]] = {
    "RNN_TANH": elman,
    "GRU": gru,
    "LSTM": lstm,
}

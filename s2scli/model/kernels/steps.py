"""Single steps of the recurrent cells, for search on a CPU."""

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
    """Computes single steps of a recurrence on a CPU, without gradients.

    PyTorch's layers are made for long sequences: each call packs their weights again, or uses a
    slower library for the products.

    Args:
        recurrence: the layers whose weights are used.
    """

    def __init__(self, recurrence: Recurrence) -> None:
        self.recurrence = recurrence
        self.layouts: list[tuple[Layout | None, Layout | None]] = self._no_layouts()

    def lay_out(self, *, int8: bool) -> None:
        """Pack the weights for later steps, quantized to int8 if `int8` is true."""
        self.layouts = [
            (Layout.of(weight_ih, int8=int8), Layout.of(weight_hh, int8=int8))
            for weight_ih, weight_hh, *_ in self.recurrence.all_weights
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the layouts from copies, because layouts cannot be copied."""
        return {**self.__dict__, "layouts": self._no_layouts()}

    def can_take(self, values: Tensor) -> bool:
        """Whether this class can process these inputs [N, T, I]: a single step in inference."""
        return values.shape[1] == 1 and not self.recurrence.training and BY_STEPS.runs(values)

    def __call__(self, values: Tensor, hidden: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the state after one step.

        Args:
            values: the input, [N, I].
            hidden: the state before the step, each part [L, N, D].
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


# The arguments of a cell: W x + b and U h + b for all its gates, and the parts of the previous
# state, each [N, D]. It returns the parts of the new state.


def elman(seen: Tensor, kept: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return h' = tanh(W x + U h) (Elman 1990)."""
    return (tanh(seen + kept),)


def gru(seen: Tensor, kept: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return h' = (1 - z) n + z h, n = tanh(W x + r U h), with gates r and z (Cho et al. 2014)."""
    width = before[0].shape[1]
    reset, update = (seen[:, : 2 * width] + kept[:, : 2 * width]).sigmoid_().chunk(2, 1)
    new = tanh(torch.addcmul(seen[:, 2 * width :], reset, kept[:, 2 * width :]))
    return (torch.lerp(new, before[0], update),)


def lstm(seen: Tensor, kept: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return h' = o tanh(c') and c' = f c + i g, with gates i, f and o.

    See Hochreiter & Schmidhuber 1997.
    """
    enters, stays, new, leaves = (seen + kept).chunk(4, 1)
    cell = torch.addcmul(stays.sigmoid() * before[1], enters.sigmoid(), tanh(new))
    return leaves.sigmoid() * tanh(cell), cell


CELLS: dict[str, Callable[[Tensor, Tensor, Sequence[Tensor]], tuple[Tensor, ...]]] = {
    "RNN_TANH": elman,
    "GRU": gru,
    "LSTM": lstm,
}

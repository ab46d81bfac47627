"""The three recurrent cells, a whole sequence in one call of PyTorch's layers, or one step."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from s2scli.model.layers.linear import Packed, multiply, pack_weight
from s2scli.model.layers.tanh import tanh

Cell = Literal["elman", "gru", "lstm"]
Recurrence = nn.RNN | nn.GRU | nn.LSTM

LAYERS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {
    "elman": nn.RNN,  # Elman 1990: h_t = tanh(W x_t + U h_{t-1} + b)
    "gru": nn.GRU,  # Cho et al. 2014
    "lstm": nn.LSTM,  # Hochreiter & Schmidhuber 1997, with forget gates
}
STATE_PARTS = {"elman": 1, "gru": 1, "lstm": 2}


def make_recurrence(
    cell: Cell, input_dim: int, dim: int, num_layers: int, *, bidirectional: bool, dropout: float
) -> Recurrence:
    """Return a stack of recurrent layers over [B, T, input_dim], with dropout between layers.

    An Elman network has no gate to carry a state through time unchanged: its recurrent weights
    begin orthogonal, so that they at least keep its length (Saxe et al. 2014, section 3).
    """
    recurrence = LAYERS[cell](
        input_dim,
        dim,
        num_layers,
        batch_first=True,
        bidirectional=bidirectional,
        dropout=dropout if num_layers > 1 else 0.0,
    )
    for name, weight in recurrence.named_parameters():
        if cell == "elman" and name.startswith("weight_hh") and not weight.is_meta:
            nn.init.orthogonal_(weight)
    return recurrence


def pack_state(parts: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    """Return a state as PyTorch's layers take it: a tensor, or a pair for an LSTM."""
    parts = tuple(part.contiguous() for part in parts)
    return parts[0] if len(parts) == 1 else parts


def unpack_state(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return a state of PyTorch's layers as a tuple of [L, B, D]."""
    return (state,) if isinstance(state, Tensor) else tuple(state)


class Steps:
    """Single steps of a recurrence on a processor, without gradients, cell by cell.

    PyTorch's layers are made for long sequences: at each call they lay out their weights anew, or
    leave the products to a slower library.

    Args:
        recurrence: whose weights it reads.
    """

    def __init__(self, recurrence: Recurrence) -> None:
        self.recurrence = recurrence
        self.packed: list[tuple[Packed | None, Packed | None]] = [
            (None, None) for _ in range(recurrence.num_layers)
        ]

    def pack(self, *, int8: bool) -> None:
        """Lay the weights out for the steps to come."""
        self.packed = [
            (pack_weight(weight_ih, int8=int8), pack_weight(weight_hh, int8=int8))
            for weight_ih, weight_hh, *_ in self.recurrence.all_weights
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy begins with: plain weights, as laid out ones cannot be copied."""
        return {**self.__dict__, "packed": [(None, None) for _ in self.packed]}

    def can_take(self, values: Tensor) -> bool:
        """Whether these inputs [N, T, I] are a step to be taken here."""
        return (
            values.shape[1] == 1
            and values.device.type == "cpu"
            and torch.is_inference_mode_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not self.recurrence.training
        )

    def __call__(self, values: Tensor, hidden: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the state after one step.

        Args:
            values: the input, [N, I].
            hidden: the state before it, each part [L, N, D].
        """
        cell = CELLS[self.recurrence.mode]
        after = []
        for weights, packed, *before in zip(
            self.recurrence.all_weights, self.packed, *hidden, strict=True
        ):
            weight_ih, weight_hh, bias_ih, bias_hh = weights
            seen = multiply(values, weight_ih, bias_ih, packed=packed[0])
            kept = multiply(before[0], weight_hh, bias_hh, packed=packed[1])
            after.append(cell(seen, kept, before))
            values = after[-1][0]
        return tuple(torch.stack(parts) for parts in zip(*after, strict=True))


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

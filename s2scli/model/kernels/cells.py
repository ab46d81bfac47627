"""The steps of the recurrent cells in training, and their gradients."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

sigmoid_slope = torch.ops.aten.sigmoid_backward  # of y: gradient, y -> gradient y (1 - y)
tanh_slope = torch.ops.aten.tanh_backward  # of y: gradient, y -> gradient (1 - y^2)


class Cell(Protocol):
    """A recurrent cell: its step, and the gradient of the step.

    The products of a step are W x + b, which `seen` stands for, and U h + b, which `kept` stands
    for; G columns each, for all gates.

    Attributes:
        parts: the number of parts of the state; the first is h.
        tape: the columns that a step remembers, in units of D.
        splits: whether the gradients of `seen` and `kept` differ.
    """

    parts: int
    tape: int
    splits: bool

    def step(
        self, tape: Tensor, kept: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> None:
        """Take a step.

        Args:
            tape: `seen` in its first G columns; overwritten by what the gradient needs,
                [n, tape x D].
            kept: [n, G].
            before: the parts of the state before the step, each [n, D].
            after: those after the step, to be written, each [n, D].
        """
        ...

    def slopes(
        self, tape: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return what `back` needs of all steps, each [R, ...]; arguments as in `step`."""
        ...

    def back(
        self, slopes: Sequence[Tensor], carried: Sequence[Tensor], seen: Tensor, kept: Tensor
    ) -> None:
        """Take a step back.

        Args:
            slopes: those of this step.
            carried: the gradient of the state after the step; overwritten by that of the state
                before it, except for what comes through `kept`. Each [n, D].
            seen: the gradient of `seen`, to be written, [n, G].
            kept: that of `kept`; the same tensor, unless they differ.
        """
        ...


class Elman:
    """h' = tanh(W x + U h) (Elman 1990)."""

    parts, tape, splits = 1, 1, False

    def step(
        self, tape: Tensor, kept: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> None:
        """Take a step; see `Cell`."""
        torch.tanh(tape.add_(kept), out=after[0])

    def slopes(
        self, tape: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return 1 - h'^2."""
        return (1 - after[0].square(),)

    def back(
        self, slopes: Sequence[Tensor], carried: Sequence[Tensor], seen: Tensor, kept: Tensor
    ) -> None:
        """Take a step back; see `Cell`."""
        torch.mul(carried[0], slopes[0], out=seen)
        carried[0].zero_()


class Gru:
    """h' = (1 - z) n + z h, n = tanh(W x + r U h), with gates r and z (Cho et al. 2014)."""

    parts, tape, splits = 1, 4, True

    def step(
        self, tape: Tensor, kept: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> None:
        """Take a step; the tape becomes r, z, n and the part of `kept` that r multiplies."""
        dim = before[0].shape[1]
        gates, new, inner = tape[:, : 2 * dim], tape[:, 2 * dim : 3 * dim], tape[:, 3 * dim :]
        gates.add_(kept[:, : 2 * dim]).sigmoid_()
        inner.copy_(kept[:, 2 * dim :])
        new.addcmul_(gates[:, :dim], inner).tanh_()
        torch.lerp(new, before[0], gates[:, dim:], out=after[0])

    def slopes(
        self, tape: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return the slopes of z and n by h', [R, 2, D], that of r by n, r and z."""
        reset, update, new, inner = tape.chunk(4, 1)
        by_update = sigmoid_slope(before[0] - new, update)
        by_new = tanh_slope(1 - update, new)
        return torch.stack([by_update, by_new], 1), sigmoid_slope(inner, reset), reset, update

    def back(
        self, slopes: Sequence[Tensor], carried: Sequence[Tensor], seen: Tensor, kept: Tensor
    ) -> None:
        """Take a step back; see `Cell`."""
        by_state, by_new, reset, update = slopes
        dim = reset.shape[1]
        torch.mul(carried[0][:, None], by_state, out=seen[:, dim:].view(-1, 2, dim))
        new = seen[:, 2 * dim :]
        torch.mul(new, by_new, out=seen[:, :dim])
        kept[:, : 2 * dim] = seen[:, : 2 * dim]
        torch.mul(new, reset, out=kept[:, 2 * dim :])
        carried[0].mul_(update)


class Lstm:
    """h' = o tanh(c') and c' = f c + i g, with gates i, f and o (Hochreiter & Schmidhuber 1997)."""

    parts, tape, splits = 2, 4, False

    def step(
        self, tape: Tensor, kept: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> None:
        """Take a step; the tape becomes i, f, g and o."""
        enters, stays, new, leaves = tape.add_(kept).chunk(4, 1)
        tape[:, : 2 * new.shape[1]].sigmoid_()
        new.tanh_()
        leaves.sigmoid_()
        hidden, cell = after
        torch.mul(stays, before[1], out=cell).addcmul_(enters, new)
        torch.tanh(cell, out=hidden).mul_(leaves)

    def slopes(
        self, tape: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return the slopes of i, f and g by c', [R, 3, D], those of o and c' by h', and f."""
        enters, stays, new, leaves = tape.chunk(4, 1)
        squashed = after[1].tanh()
        by_cell = [
            sigmoid_slope(new, enters),
            sigmoid_slope(before[1], stays),
            tanh_slope(enters, new),
        ]
        by_hidden = sigmoid_slope(squashed, leaves), tanh_slope(leaves, squashed)
        return torch.stack(by_cell, 1), *by_hidden, stays

    def back(
        self, slopes: Sequence[Tensor], carried: Sequence[Tensor], seen: Tensor, kept: Tensor
    ) -> None:
        """Take a step back; see `Cell`."""
        by_cell, of_leaves, of_cell, stays = slopes
        hidden, cell = carried
        dim = cell.shape[1]
        cell.addcmul_(hidden, of_cell)
        torch.mul(cell[:, None], by_cell, out=seen[:, : 3 * dim].view(-1, 3, dim))
        torch.mul(hidden, of_leaves, out=seen[:, 3 * dim :])
        cell.mul_(stays)
        hidden.zero_()


CELLS: dict[str, Cell] = {"RNN_TANH": Elman(), "GRU": Gru(), "LSTM": Lstm()}

"""The simpler simple recurrent unit, in the place of self-attention in a decoder."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2scli.model.kernels.linear import make_linear
from s2scli.model.kernels.scan import scan


@dataclass(frozen=True)
class Cells:
    """The state of one layer's recurrent unit.

    Attributes:
        values: [B, R, D], for B sentences of R rows each.
    """

    values: Tensor

    def reorder(self, indices: Tensor) -> "Cells":
        """Return the cells of the rows with these indices [N']."""
        rows = self.values.flatten(0, 1).index_select(0, indices)
        return Cells(rows.view(self.values.shape[0], -1, rows.shape[1]))

    def keep(self, sentences: Tensor) -> "Cells":
        """Return the cells of the sentences with these indices [B'] only."""
        return Cells(self.values.index_select(0, sentences))


class SSRU(nn.Module):
    """A simpler simple recurrent unit (Kim et al. 2019, section 3.1).

    With the forget gate f_t = sigmoid(W_f x_t + b_f), its state is c_t = f_t c_{t-1} +
    (1 - f_t) W x_t, and its output relu(c_t).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.value_and_gate = make_linear(dim, dim, parts=2, bias=False)
        self.gate_bias = nn.Parameter(torch.zeros(dim))

    def continue_from(
        self, cells: Cells, states: Tensor, angles: Tensor | None, sight: Tensor | None
    ) -> tuple[Tensor, Cells]:
        """Run T steps on states [N, T, D], and return the outputs and the cells after them.

        Args:
            cells: the cells before these steps.
            states: states of the new tokens, [N, T, D].
            angles: not used; there are no rotary positions.
            sight: not used; each row has its own cells.
        """
        projected = self.value_and_gate(states).to(self.gate_bias.dtype).transpose(0, 1)
        value, gate = projected.chunk(2, -1)  # [T, N, D]
        forget = torch.sigmoid(gate + self.gate_bias)
        value = torch.addcmul(value, forget, value, value=-1)
        before = cells.values.flatten(0, 1)  # [N, D]
        if len(value) == 1:
            found = torch.addcmul(value, forget, before)
        else:
            found = scan(forget.contiguous(), value.contiguous(), before)
        after = Cells(found[-1].view(cells.values.shape))
        return found.relu().transpose(0, 1), after

    def empty_cache(self, states: Tensor) -> Cells:
        """Return the cells before the first token, for B sentences of one row.

        Args:
            states: any tensor of shape [B, ...] on the device of the model.
        """
        dim = len(self.gate_bias)
        return Cells(self.gate_bias.new_zeros(states.shape[0], 1, dim))

"""Stacks of recurrent layers (Elman, GRU and LSTM) from PyTorch, and their states."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from s2scli.model.kernels.steps import Recurrence
from s2scli.model.kernels.unroll import BY_UNROLLING, unroll

Cell = Literal["elman", "gru", "lstm"]

LAYERS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {
    "elman": nn.RNN,  # Elman 1990: h_t = tanh(W x_t + U h_{t-1} + b)
    "gru": nn.GRU,  # Cho et al. 2014
    "lstm": nn.LSTM,  # Hochreiter & Schmidhuber 1997, with forget gates
}
STATE_PARTS = {"elman": 1, "gru": 1, "lstm": 2}


def make_recurrence(
    cell: Cell, input_dim: int, dim: int, num_layers: int, *, bidirectional: bool, dropout: float
) -> Recurrence:
    """Return a stack of recurrent layers for [B, T, input_dim], with dropout between layers.

    An Elman network has no gates to preserve the state. So its recurrent weights are initialized
    to be orthogonal, which preserves the norm of the state (Saxe et al. 2014, section 3).
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
    """Return a state in the form PyTorch expects: a tensor, or a pair of tensors for an LSTM."""
    parts = tuple(part.contiguous() for part in parts)
    return parts[0] if len(parts) == 1 else parts


def unpack_state(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return a state from PyTorch as a tuple of tensors [L, B, D]."""
    return (state,) if isinstance(state, Tensor) else tuple(state)


def run(
    recurrence: Recurrence, values: Tensor, lengths: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run recurrent layers over padded sequences; padding affects no state.

    Args:
        recurrence: the layers.
        values: the inputs, [B, S, I].
        lengths: the number of real inputs of each row, [B].

    Returns:
        The outputs, 0 in the padding, [B, S, D], and the state after each row, each part
        [L, B, D]. The last D, and L, count both directions.
    """
    packed = pack_padded_sequence(values, lengths.cpu(), batch_first=True, enforce_sorted=False)
    states, final = run_packed(recurrence, packed)
    outputs, _ = pad_packed_sequence(states, batch_first=True, total_length=values.shape[1])
    return outputs, final


def run_packed(
    recurrence: Recurrence, packed: PackedSequence
) -> tuple[PackedSequence, tuple[Tensor, ...]]:
    """Run recurrent layers over packed sequences, by the fastest implementation.

    Returns:
        The outputs, and the state after each sequence, each part [L x directions, B, D].
    """
    if not BY_UNROLLING.runs(packed.data):
        states, final = recurrence(packed)
        return states, unpack_state(final)
    outputs, ends = unroll(recurrence, packed.data, packed.batch_sizes.tolist())
    if (order := packed.unsorted_indices) is not None:
        ends = tuple(part.index_select(1, order) for part in ends)
    return packed._replace(data=outputs), ends

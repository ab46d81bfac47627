"""Laws of every encoder: padding changes nothing, every weight learns, cells are the papers'."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.model.encoder.recurrent import (
    RecurrentEncoder,
    RecurrentEncoderSettings,
    reverse_rows,
)
from tests.models import CELLS

Array = NDArray[np.float64]
KINDS = [
    (cell, layers, bidirectional, reverse)
    for cell in CELLS
    for layers in (1, 2)
    for bidirectional, reverse in ((False, False), (False, True), (True, False))
]


def make_encoder(cell: str, layers: int, bidirectional: bool, reverse: bool) -> RecurrentEncoder:
    torch.manual_seed(0)
    settings = RecurrentEncoderSettings(
        kind=cell, model_dim=4, num_layers=layers, bidirectional=bidirectional, reverse=reverse
    )
    return settings.build(3).eval()


@pytest.mark.parametrize(("cell", "layers", "bidirectional", "reverse"), KINDS)
def test_padding_changes_nothing(
    cell: str, layers: int, bidirectional: bool, reverse: bool
) -> None:
    encoder = make_encoder(cell, layers, bidirectional, reverse)
    torch.manual_seed(1)
    embedded, lengths = torch.randn(3, 6, 3), torch.tensor([4, 6, 1])
    output = encoder(embedded, lengths)
    assert output.memory.shape == (3, 6, encoder.memory_dim)
    for row, length in enumerate(lengths.tolist()):
        alone = encoder(embedded[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(output.memory[row, :length], alone.memory[0])
        assert output.memory_mask[row].tolist() == [place < length for place in range(6)]
        for part, alone_part in zip(output.final_state, alone.final_state, strict=True):
            torch.testing.assert_close(part[:, row], alone_part[:, 0])


@pytest.mark.parametrize(("cell", "layers", "bidirectional", "reverse"), KINDS)
def test_gradients_reach_every_weight(
    cell: str, layers: int, bidirectional: bool, reverse: bool
) -> None:
    encoder = make_encoder(cell, layers, bidirectional, reverse)
    output = encoder(torch.randn(2, 4, 3), torch.tensor([4, 2]))
    torch.autograd.backward(output.memory.square().sum())
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def test_reversing_reads_from_the_end() -> None:
    forward, backward = make_encoder("gru", 1, False, False), make_encoder("gru", 1, False, True)
    embedded, lengths = torch.randn(2, 5, 3), torch.tensor([5, 3])
    turned = reverse_rows(embedded, lengths)
    assert turned[1, :3].equal(embedded[1, :3].flip(0)) and turned[1, 3:].equal(embedded[1, 3:])
    expected = forward(turned, lengths)
    found = backward(embedded, lengths)
    torch.testing.assert_close(found.memory, reverse_rows(expected.memory, lengths))
    torch.testing.assert_close(found.final_state, expected.final_state)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def plain_cells(cell: str, encoder: RecurrentEncoder, inputs: Array) -> Array:
    """One layer, one direction, written from the definitions of the cells."""
    weights = {name: value.detach().double().numpy() for name, value in encoder.named_parameters()}
    w, u = weights["recurrence.weight_ih_l0"], weights["recurrence.weight_hh_l0"]
    b, d = weights["recurrence.bias_ih_l0"], weights["recurrence.bias_hh_l0"]
    h = c = np.zeros(4)
    states = []
    for x in inputs:
        if cell == "elman":
            h = np.tanh(w @ x + b + u @ h + d)
        elif cell == "gru":
            xr, xz, xn = np.split(w @ x + b, 3)
            hr, hz, hn = np.split(u @ h + d, 3)
            reset, update = sigmoid(xr + hr), sigmoid(xz + hz)
            h = (1 - update) * np.tanh(xn + reset * hn) + update * h
        else:
            i, f, g, o = np.split(w @ x + b + u @ h + d, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states)


@pytest.mark.parametrize("cell", CELLS)
def test_cells_equal_their_definition(cell: str) -> None:
    encoder = make_encoder(cell, 1, False, False)
    embedded: Tensor = torch.randn(1, 6, 3)
    memory = encoder(embedded, torch.tensor([6])).memory[0].detach()
    expected = plain_cells(cell, encoder, embedded[0].double().numpy())
    np.testing.assert_allclose(memory, expected, atol=1e-5)


def test_an_elman_network_begins_with_weights_that_keep_a_states_length() -> None:
    encoder = make_encoder("elman", 2, True, False)
    found = [value for name, value in encoder.named_parameters() if "weight_hh" in name]
    assert len(found) == 4
    for weight in found:
        torch.testing.assert_close(weight @ weight.T, torch.eye(4), atol=1e-5, rtol=0)

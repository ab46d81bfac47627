"""Summaries leave padding out, and numbers become states."""

import torch

from s2scli.model.connection.summary import (
    as_state,
    last_state,
    masked_max,
    masked_mean,
    state_size,
)
from s2scli.model.states import EncoderOutput, StateShape


def encoder_output() -> EncoderOutput:
    torch.manual_seed(0)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    state = torch.randn(2, 2, 6), torch.randn(2, 2, 6)
    return EncoderOutput(torch.randn(2, 3, 6), mask, state, padded=True)


def test_the_mean_leaves_padding_out() -> None:
    output = encoder_output()
    mean = masked_mean(output)
    torch.testing.assert_close(mean[0], output.memory[0].mean(0))
    torch.testing.assert_close(mean[1], output.memory[1, 0])


def test_the_maximum_leaves_padding_out() -> None:
    output = encoder_output()
    largest = masked_max(output)
    assert largest[0].equal(output.memory[0].max(0).values)
    assert largest[1].equal(output.memory[1, 0])


def test_the_last_state_is_that_of_the_top_layer() -> None:
    output = encoder_output()
    assert last_state(output).equal(output.final_state[0][1])


def test_numbers_become_parts_and_layers_in_order() -> None:
    shape = StateShape(2, 3, 4)
    flat = torch.arange(2.0 * state_size(shape)).view(2, -1)
    state = as_state(flat, shape)
    assert [part.shape for part in state] == [(3, 2, 4), (3, 2, 4)]
    for row in range(2):
        assert torch.cat([part[:, row].flatten() for part in state]).equal(flat[row])
    assert as_state(flat, StateShape(0, 3, 4)) == ()

"""A projected summary of the source begins the decoder."""

import torch

from s2scli.model.connection.projected import ProjectedConnectionSettings
from s2scli.model.connection.summary import masked_mean
from s2scli.model.states import EncoderOutput, StateShape

FINAL, INITIAL = StateShape(2, 1, 6), StateShape(2, 3, 4)


def encoder_output() -> EncoderOutput:
    torch.manual_seed(0)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    return EncoderOutput(
        torch.randn(2, 3, 6), mask, (torch.randn(1, 2, 6), torch.randn(1, 2, 6)), True
    )


def test_projected_equals_its_formula() -> None:
    output = encoder_output()
    connection = ProjectedConnectionSettings(kind="projected").build(FINAL, 6, INITIAL)
    connected = connection(output)
    assert connection.state is not None
    flat = torch.tanh(output.final_state[0][-1] @ connection.state.weight.T + connection.state.bias)
    for part in range(2):
        for layer in range(3):
            start = (part * 3 + layer) * 4
            torch.testing.assert_close(
                connected.initial[part][layer], flat[:, start : start + 4], atol=1e-6, rtol=1e-5
            )
    assert connected.vector is None


def test_a_summary_for_every_step_is_also_what_the_first_state_is_made_of() -> None:
    output = encoder_output()
    settings = ProjectedConnectionSettings(kind="mean", every_step=True)
    connection = settings.build(FINAL, 6, INITIAL)
    connected = connection(output)
    assert connection.vector is not None and connected.vector is not None
    torch.testing.assert_close(connected.vector, torch.tanh(connection.vector(masked_mean(output))))
    assert connection.state is not None
    flat = torch.tanh(connection.state(connected.vector))
    torch.testing.assert_close(connected.initial[0][0], flat[:, :4])

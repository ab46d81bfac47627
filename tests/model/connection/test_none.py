"""No connection begins with zeros."""

import torch

from s2scli.model.connection.none import NoConnectionSettings
from s2scli.model.states import EncoderOutput, StateShape


def test_the_first_state_is_zero() -> None:
    final, initial = StateShape(2, 1, 6), StateShape(2, 3, 4)
    output = EncoderOutput(torch.randn(2, 3, 6), torch.ones(2, 3) > 0, (), padded=False)
    connection = NoConnectionSettings().build(final, 6, initial)
    connected = connection(output)
    assert [part.shape for part in connected.initial] == [(3, 2, 4), (3, 2, 4)]
    assert not any(part.any() for part in connected.initial)
    assert connection.code(output).shape == (2, 0)

"""Recurrent encoders: Elman, GRU and LSTM, unidirectional or bidirectional."""

import torch
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.kernels.dropout import Dropout
from s2scli.model.recurrence import STATE_PARTS, Cell, make_recurrence, run
from s2scli.model.states import EncoderOutput, StateShape, length_mask
from s2scli.settings import Settings, setting


class RecurrentEncoderSettings(Settings):
    """Settings of a recurrent encoder."""

    kind: Cell = setting("gru", "Recurrent cell: elman (simple tanh), gru or lstm.")
    model_dim: int = setting(256, "Width of the state of one direction.", "units", ge=1, le=16384)
    num_layers: int = setting(1, "Number of layers.", "layers", ge=1, le=64)
    bidirectional: bool = setting(True, "Read the source in both directions.")
    reverse: bool = setting(False, "Read the source in reverse (Sutskever et al. 2014, 3.3).")
    dropout: float = setting(
        0.0,
        "Dropout between the layers and on the encoder's output.",
        "probability",
        ge=0.0,
        lt=1.0,
    )

    def build(self, input_dim: int) -> "RecurrentEncoder":
        """Return the encoder for input vectors of width `input_dim`.

        Raises:
            ConfigError: both `reverse` and `bidirectional` are true.
        """
        if self.reverse and self.bidirectional:
            raise ConfigError(
                "model.encoder.reverse: true has no effect with model.encoder.bidirectional = "
                "true, which reads the source in both directions; set one of them to false"
            )
        return RecurrentEncoder(self, input_dim)


class RecurrentEncoder(nn.Module):
    """A recurrent encoder; padding never affects a state."""

    def __init__(self, settings: RecurrentEncoderSettings, input_dim: int) -> None:
        super().__init__()
        directions = 2 if settings.bidirectional else 1
        self.reverse = settings.reverse
        self.directions = directions
        self.memory_dim = settings.model_dim * directions
        self.final_shape = StateShape(
            STATE_PARTS[settings.kind], settings.num_layers, self.memory_dim
        )
        self.recurrence = make_recurrence(
            settings.kind,
            input_dim,
            settings.model_dim,
            settings.num_layers,
            bidirectional=settings.bidirectional,
            dropout=settings.dropout,
        )
        self.dropout = Dropout(settings.dropout)

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Encode a batch.

        Args:
            embedded: source embeddings, [B, S, E].
            lengths: the number of real tokens in each source, [B].
        """
        width = embedded.shape[1]
        if self.reverse:
            embedded = reverse_rows(embedded, lengths)
        memory, final = run(self.recurrence, embedded, lengths)  # [B, S, D]
        if self.reverse:
            memory = reverse_rows(memory, lengths)
        return EncoderOutput(
            self.dropout(memory),
            length_mask(lengths, width, memory.device),
            tuple(self._join_directions(part) for part in final),
            padded=int(lengths.min()) < width,
        )

    def _join_directions(self, part: Tensor) -> Tensor:
        """Reshape [L x directions, B, D] to [L, B, directions x D]."""
        layers, batch, dim = part.shape[0] // self.directions, part.shape[1], part.shape[2]
        by_layer = part.view(layers, self.directions, batch, dim).transpose(1, 2)
        return by_layer.reshape(layers, batch, self.directions * dim)


def reverse_rows(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the real positions of each row of `values` [B, S, D]; keep padding in place."""
    positions = torch.arange(values.shape[1], device=values.device)
    ends = lengths.to(values.device, non_blocking=True)[:, None]
    index = torch.where(positions < ends, ends - 1 - positions, positions)  # [B, S]
    return values.gather(1, index[:, :, None].expand_as(values))
